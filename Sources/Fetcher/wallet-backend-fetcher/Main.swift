import ArgumentParser
import Fetcher

@main struct Main {
    static func main() async { await FetcherCommand.main() }
}
