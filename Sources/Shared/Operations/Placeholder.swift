import Hummingbird
import ArgumentParser
import UnixSignals
enum OperationsPlaceholder {}
