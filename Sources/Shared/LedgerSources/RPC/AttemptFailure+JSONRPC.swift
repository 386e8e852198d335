extension AttemptFailure {
    /// What a JSON-RPC error means, and what can be learned from it.
    ///
    /// The codes are those of stellar-rpc (and its jrpc2 library): -32603 internal, -32001 processing limit exceeded, -32098 queue full, -32600 a start
    /// ledger outside of the served range, -32602 invalid parameters, -32601 unknown method.
    /// - Parameter asked: the ledgers asked for, if any were.
    init(_ error: RPCErrorObject, asked: ClosedRange<UInt32>?) {
        let said = "\(Self.shown(error.message)) (JSON-RPC \(error.code))" + (error.data.map { ", data \(Self.shown($0))" } ?? "")
        if let asked, let served = Self.servedRange(error) {
            if asked.lowerBound > served.upperBound {
                self.init(
                    .pastLatest,
                    "ledger \(asked.lowerBound) is past the latest that the server has: it serves ledgers \(served.lowerBound)-\(served.upperBound)"
                )
            } else {
                self.init(
                    .outsideRetention,
                    "asked for ledgers \(asked.lowerBound)-\(asked.upperBound), but the server keeps only ledgers "
                        + "\(served.lowerBound)-\(served.upperBound); use an RPC with a longer retention")
            }
            return
        }
        switch error.code {
        case -32001: self.init(.timeout, said)
        case -32098: self.init(.overloaded, said)
        case -32601:
            self.init(.methodNotFound, "the server does not know the method: \(said); is it a stellar-rpc of version 22.1 or later?")
        case -32603, -32099 ... -32000: self.init(.serverFailure, said)
        default: self.init(.invalidRequest, "the server refuses the request: \(said)")
        }
    }

    /// The range in "start ledger (N) must be between the oldest ledger: A and the latest ledger: B for this rpc instance".
    static func servedRange(_ error: RPCErrorObject) -> ClosedRange<UInt32>? {
        guard error.code == -32600 || error.code == -32602, error.message.contains("must be between") else { return nil }
        guard let oldest = number(in: error.message, after: "oldest ledger:"),
            let latest = number(in: error.message, after: "latest ledger:")
        else {
            return nil
        }
        return oldest <= latest ? oldest...latest : nil
    }

    /// The N in "limit must not exceed N".
    static func largestLimit(_ error: RPCErrorObject) -> Int? {
        number(in: error.message, after: "limit must not exceed").map(Int.init)
    }

    private static func number(in text: String, after words: String) -> UInt32? {
        guard let found = text.firstRange(of: words) else { return nil }
        let digits = text[found.upperBound...].drop { $0 == " " }.prefix { $0.isASCII && $0.isNumber }
        return UInt32(digits)
    }
}
