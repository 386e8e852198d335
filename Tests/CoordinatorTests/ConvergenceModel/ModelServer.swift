/// What the database server does by itself.
extension ConvergenceModel {
    func serverSteps(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        guard rules.serverCrashes else { return }
        let database = state.database
        if database.cursors != database.cursorsOnDisk || database.stored != database.storedOnDisk {
            emit(.serverFlushes, state.changed(committedToDisk))
        }
        emit(.serverCrashes, state.changed(crash))
    }

    /// After a commit that waits for the disk.
    func committedToDisk(_ state: inout ModelState) {
        if rules.serverCrashes { state.database.flush() }
    }

    /// Every session is gone, with its locks and its open transaction: live ingestion ends; an old writer has nothing any more; the writer finds out
    /// with its next transaction, and says so after its reports; the coordinator with its next question.
    private func crash(_ state: inout ModelState) {
        state.database.loseWhatIsNotOnTheDisk()
        state.live = ModelLiveIngestion()
        state.orphan = ModelWriter()
        state.writer.transaction = .init()
        state.writer.isCutOff = state.writer.isReady
        state.migration.isCutOff = state.migration.phase != .notRunning
    }
}
