internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Synchronization

/// A data lake: `GET /KEY`, and `HEAD`, for its files and its manifest.
struct LakeService: SimulatedService {
    let lake: ServedLake
    let counts: ServedCounts
    let faults: FaultPlan<FileFault>
    let hold: Hold
    let delivery: Delivery
    private let absences = Absences()

    init(lake: ServedLake, counts: ServedCounts, faults: FaultPlan<FileFault>, hold: Hold, delivery: Delivery) {
        self.lake = lake
        self.counts = counts
        self.faults = faults
        self.hold = hold
        self.delivery = delivery
    }

    func close() -> Bool { lake.close() }

    func addRoutes(to router: Router<ConnectionContext>) {
        router.get("**") { request, context in
            try await delivery.begin()
            return try await respond(to: request, context)
        }
    }

    private func respond(to request: Request, _ context: ConnectionContext) async throws -> Response {
        let key = String((request.uri.path.removingPercentEncoding ?? request.uri.path).drop { $0 == "/" })
        if key == LakeFormat.manifestKey, let manifest = lake.manifest {
            counts.requested("manifest")
            return delivery.whole([try contents(of: manifest)], type: .json)
        }
        guard let file = lake.file(key) else {
            counts.requested("missing")
            return Response(status: .notFound)
        }
        // Only its size is asked for; the router drops the body.
        guard request.method == .get else {
            counts.requested("head")
            return delivery.whole([try contents(of: file.path)], type: .bytes)
        }
        counts.requested("file")
        _ = await hold.pass(file.ledgers.upperBound...file.ledgers.upperBound)
        guard let fault = absences.isAbsent(key) ? .notFound : faults.next(ledgers: file.ledgers.count) else {
            let bytes = try contents(of: file.path)
            counts.served(file.ledgers, bytes: bytes.readableBytes)
            return delivery.whole([bytes], type: .bytes)
        }
        counts.spoilt(fault)
        return try spoilt(file, fault, context)
    }

    private func spoilt(_ file: ServedLake.File, _ fault: FileFault, _ context: ConnectionContext) throws -> Response {
        switch fault {
        case .unavailable: return Response(status: .serviceUnavailable)
        case .gatewayTimeout: return Response(status: .gatewayTimeout)
        case .tooManyRequests: return Response(status: .tooManyRequests, headers: [.retryAfter: "0"])
        case .notFound:
            absences.note(file.key)
            return Response(status: .notFound)
        case .drop: return delivery.drop(context)
        case .cutBody: return delivery.cut([try contents(of: file.path)], type: .bytes)
        case .halfFile, .damagedFrame, .wrongBytes, .otherFile:
            return delivery.whole([try wrongContents(of: file, fault)], type: .bytes)
        }
    }

    private func wrongContents(of file: ServedLake.File, _ fault: FileFault) throws -> ByteBuffer {
        if fault == .otherFile, let other = lake.neighbour(of: file) { return try contents(of: other.path) }
        var bytes = Array(try contents(of: file.path).readableBytesView)
        switch fault {
        case .halfFile: bytes.removeLast(bytes.count - bytes.count / 2)
        case .damagedFrame: if !bytes.isEmpty { bytes[bytes.count / 2] ^= 1 }
        default:
            let text = Array("<html><body>This is not what you asked for.</body></html>\n".utf8)
            bytes = bytes.indices.map { text[$0 % text.count] }
        }
        return ByteBuffer(bytes: bytes)
    }

    private func contents(of path: URL) throws -> ByteBuffer {
        do {
            return ByteBuffer(bytes: try Data(contentsOf: path))
        } catch CocoaError.fileReadNoSuchFile {
            // Removed since the folder was listed.
            throw HTTPError(.notFound)
        }
    }

    /// Files that are said to be missing for a while.
    private final class Absences: Sendable {
        private let left = Mutex<[String: Int]>([:])

        /// The next two requests for this file find nothing either. An absence that lasts is not made longer.
        func note(_ key: String) { left.withLock { $0[key] = $0[key] ?? 2 } }

        /// Whether this request finds nothing.
        func isAbsent(_ key: String) -> Bool {
            left.withLock { left in
                guard let count = left[key] else { return false }
                left[key] = count > 0 ? count - 1 : nil
                return count > 0
            }
        }
    }
}
