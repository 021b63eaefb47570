package archive

// columnEncoder encodes blocks in the column layout.
type columnEncoder struct{}

func (t *tools) packColumns(rows []row) []byte {
	return t.z.pack(t.plain.encode(rows), codecZstd)
}

func (r *blockReader) decodeColumns(*lineSet) error { return corruptf("column layout") }
