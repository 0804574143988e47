package config

// piece is a value of a file as tests see it.
type piece struct {
	at    place
	kind  kind
	text  string
	items []*piece
	keys  []string // of the values of a table
	table []*piece
}

// pieceOf is the only function of tests that takes the reader's tree apart.
func pieceOf(n *node) *piece {
	p := &piece{at: n.place(), kind: n.kind(), text: n.text()}
	for _, item := range n.items() {
		p.items = append(p.items, pieceOf(item))
	}
	for _, pair := range n.pairs() {
		p.keys = append(p.keys, pair.key)
		p.table = append(p.table, pieceOf(pair.value))
	}
	return p
}
