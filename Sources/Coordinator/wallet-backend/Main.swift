import ArgumentParser
import Operations

@main struct Main {
    static func main() async { await WalletBackendCommand.runProgram() }
}
