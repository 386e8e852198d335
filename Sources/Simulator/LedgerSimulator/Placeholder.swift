enum LedgerSimulatorPlaceholder {}
