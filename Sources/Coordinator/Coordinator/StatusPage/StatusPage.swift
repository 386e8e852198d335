import Operations

/// The page that shows a run in a browser, and its data.
enum StatusPage {
    /// `/`, the page of `page.html`, which asks for `/status` every second; and that, the run as JSON.
    static func pages(of board: RunBoard) -> [OperationsPage] {
        [
            OperationsPage(path: "/", contentType: "text/html; charset=utf-8") { html },
            OperationsPage(path: "/status", contentType: "application/json; charset=utf-8") { board.status.json },
        ]
    }

    private static let html = String(decoding: PackageResources.page_html, as: UTF8.self)
}
