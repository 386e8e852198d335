import ArgumentParser
import LedgerSimulator
import Operations

@main struct Main {
    static func main() async { await LedgerSimulatorCommand.runProgram() }
}
