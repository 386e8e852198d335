import ArgumentParser
import LedgerSimulator

@main struct Main {
    static func main() async { await LedgerSimulatorCommand.main() }
}
