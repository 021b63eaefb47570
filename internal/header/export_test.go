package header

// WithoutForms makes a parser that reads every line anew.
func WithoutForms() *Parser { return &Parser{forms: forms{off: true}} }

// Forms tells how many forms a parser knows.
func (p *Parser) Forms() (n int) {
	for i := range p.forms.table {
		if p.forms.table[i].words > 0 {
			n++
		}
	}
	return n
}

// Forget forgets the minute of the line before.
func (p *Parser) Forget() { p.minute = minute{} }
