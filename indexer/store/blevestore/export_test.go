package blevestore

// AlwaysAsk makes searches ask the indexes where they would rather read through, and
// the indexes take every document at once. Only for tests, before the first call.
func (s *Store) AlwaysAsk() { s.scanDocuments, s.maxPending = -1, 0 }
