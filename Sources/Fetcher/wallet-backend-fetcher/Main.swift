import ArgumentParser
import Fetcher

@main struct Main {
    static func main() async { await FetcherProgram.main() }
}
