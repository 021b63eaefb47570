package elasticstore

import "lastnight"

// Sent is a document as Index sends it.
type Sent struct {
	Index, ID string
	Source    []byte
}

// Encode gives what Index sends for documents.
func (s *Store) Encode(docs []lastnight.Document) ([]Sent, error) {
	ops, err := s.indexOps(docs)
	sent := make([]Sent, len(ops))
	for i, o := range ops {
		if err := o.encode(); err != nil {
			return nil, err
		}
		sent[i] = Sent{o.index, o.id, o.source}
	}
	return sent, err
}
