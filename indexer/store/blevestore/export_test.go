package blevestore

// AlwaysAsk makes searches ask the indexes where they would rather read through, and
// the indexes take every document at once, and every document is packed, each MiB in a transaction. Only for tests, before the first call.
func (s *Store) AlwaysAsk() { s.scanDocuments, s.maxPending, s.maxFresh, s.partTxBytes = -1, 0, 0, 0 }
