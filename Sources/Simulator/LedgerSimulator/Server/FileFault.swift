/// A way in which a response to the request for a ledger file of a data lake can go wrong.
enum FileFault: String, SimulatedFault {
    /// HTTP 503 with an empty body.
    case unavailable = "503"
    /// HTTP 504 with an empty body.
    case gatewayTimeout = "504"
    /// HTTP 429 with `Retry-After: 0`.
    case tooManyRequests = "429"
    /// HTTP 404 for this file, and again for the next two requests for it.
    case notFound = "404"
    /// A body that ends in the middle; then the connection closes.
    case cutBody = "cut-body"
    /// The connection closes before a response.
    case drop
    /// The first half of the file as if it were all: what a reader of a folder sees while the file is being written.
    case halfFile = "half-file"
    /// The file with one bit flipped in its middle.
    case damagedFrame = "damaged-frame"
    /// A page of HTML, as long as the file.
    case wrongBytes = "wrong-bytes"
    /// Another file of the lake; a page of HTML where it has no other.
    case otherFile = "other-file"
}
