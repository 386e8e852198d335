import Foundation
import NIOCore
import TestSupport
import Testing

import ObjectStores

/// Against nginx, the server of most lakes over HTTP.
@Suite(.enabled(if: LakeServers.nginx != nil, "no nginx: \(LakeServers.hint)"), .timeLimit(.minutes(10)))
struct NginxTests {
    private static let configuration = """
        daemon off; master_process off; pid $DIR/pid; error_log $DIR/log;
        events { worker_connections 512; }
        http {
          access_log off; sendfile on; client_body_temp_path $DIR/t1; proxy_temp_path $DIR/t2; fastcgi_temp_path $DIR/t3;
          uwsgi_temp_path $DIR/t4; scgi_temp_path $DIR/t5; default_type application/octet-stream;
          server {
            listen 127.0.0.1:$PORT backlog=512; root $DIR;
            location /lake/ { }
            location /busy/ { return 503; }
            location /moved/ { return 301 /lake/; }
            location /private/ { deny all; }
          }
        }
        """

    @Test func readsALake() async throws {
        let object = String(repeating: "0123456789abcdef", count: 9_000)
        let command =
            "sed \"s|\\$DIR|$DIR|g; s|\\$PORT|$PORT|g\" \"$DIR/nginx.in\" > \"$DIR/nginx.conf\" && exec \"$NGINX\" -c \"$DIR/nginx.conf\""
        try await RunningServer.with(
            command, environment: ["NGINX": LakeServers.nginx ?? "nginx"],
            files: [
                "nginx.in": Self.configuration, "lake/.config.json": "{}", "lake/FFFFFFFF--0-63999/FFFFFFFA--5.xdr.zst": object,
                "lake/a b+c": "odd",
            ]
        ) { server in
            try await withStore("\(server.url)/lake/", localOptions()) { store async throws in
                #expect(try await store.text(".config.json") == "{}")
                #expect(try await store.text("a b+c") == "odd")
                #expect(try await store.text("none") == nil)
                #expect(try await store.list(prefix: "", limit: 5) == nil)
                try await withThrowingTaskGroup(of: Int.self) { group in
                    var sum = 0
                    for number in 0..<5_000 {
                        if number >= 100 { sum += try await group.next() ?? 0 }
                        group.addTask { try await store.get("FFFFFFFF--0-63999/FFFFFFFA--5.xdr.zst", limit: 1 << 20)?.readableBytes ?? 0 }
                    }
                    for try await bytes in group { sum += bytes }
                    #expect(sum == 5_000 * 144_000)
                }
            }
            for (path, code) in [("busy", ObjectStoreError.Code.overloaded), ("moved", .redirected), ("private", .denied)] {
                try await withStore("\(server.url)/\(path)", localOptions()) { store async throws in
                    let found = try await failure { () throws(ObjectStoreError) in try await store.text("k") }.code
                    #expect(found == code)
                }
            }
        }
    }
}
