import ArgumentParser
import Writer

@main struct Main {
    static func main() async { await WriterProgram.main() }
}
