package export

import "github.com/clearspan/clearspan/appliance/trail"

// mark is an entry that was sent, or passed over.
type mark struct {
	end    uint64         // octets of the link when it was sent
	at     trail.Position // behind it
	time   int64          // of the entry, in ns since 1970
	counts bool           // the receiver is to have it
}

// marks is a queue of entries that are not acknowledged.
type marks struct {
	list []mark
	head int
}

func (m *marks) len() int     { return len(m.list) - m.head }
func (m *marks) first() *mark { return &m.list[m.head] }

func (m *marks) push(x mark) {
	if m.head > 1024 && m.head > len(m.list)/2 {
		m.list = m.list[:copy(m.list, m.list[m.head:])]
		m.head = 0
	}
	m.list = append(m.list, x)
}

func (m *marks) pop() mark {
	x := m.list[m.head]
	if m.head++; m.head == len(m.list) {
		m.clear()
	}
	return x
}

func (m *marks) clear() { m.list, m.head = m.list[:0], 0 }
