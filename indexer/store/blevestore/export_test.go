package blevestore

// AlwaysAsk makes searches ask the indexes where they would rather read through, and
// the indexes take every document at once, and every document is packed. Only for tests, before the first call.
func (s *Store) AlwaysAsk() { s.scanDocuments, s.maxPending, s.maxFresh = -1, 0, 0 }
