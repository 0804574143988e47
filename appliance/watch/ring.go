package watch

import "sync"

// A row of the ring takes 152 octets: packed, and its part of the names. If names are longer
// than that, as attackers make them, the ring holds fewer rows.
const (
	namesPerRow = 48
	maxName     = 254 // octets; a DNS name has no more
)

// sameName stands for the length of a server name that is the host.
const sameName = maxName + 1

// packed is a row without pointers, so that the collector does not look into the ring.
type packed struct {
	id                   uint64
	start, duration      int64 // nanoseconds
	sent, received, lost uint64
	names                uint64 // where its names begin, among all names that were ever added
	client, origin       [16]byte
	clientPort           uint16
	originPort           uint16
	words, rule          uint32   // indexes
	lengths              [4]uint8 // of host, server name, ALPN and user
}

// ring holds the last sessions that ended. Rows are numbered from 0 on, for ever.
type ring struct {
	mu          sync.Mutex
	rows        []packed
	first, next uint64 // numbers of the oldest row, and of the next one
	names       []byte
	end         uint64 // of all names
	words       interned[Words]
	rules       interned[string]
}

func newRing(size int) *ring {
	return &ring{rows: make([]packed, size), names: make([]byte, max(size*namesPerRow, 4*maxName))}
}

// clip returns at most maxName octets of a name.
func clip(name string) string { return name[:min(len(name), maxName)] }

// add adds a row, in the place of the oldest ones if there is no room.
func (g *ring) add(r *Row) {
	id, _ := key(r.Session)
	host, sni, alpn, user := clip(r.Host), clip(r.SNI), clip(r.ALPN), clip(r.User)
	p := packed{
		id: id, start: r.Start.UnixNano(), duration: int64(r.Duration), sent: r.Sent, received: r.Received, lost: r.Lost,
		clientPort: r.Client.Port(), originPort: r.Origin.Port(),
		lengths: [4]uint8{uint8(len(host)), uint8(len(sni)), uint8(len(alpn)), uint8(len(user))},
	}
	if sni == host && sni != "" {
		sni, p.lengths[1] = "", sameName
	}
	if r.Client.IsValid() {
		p.client = r.Client.Addr().As16()
	}
	if r.Origin.IsValid() {
		p.origin = r.Origin.Addr().As16()
	}
	words := r.Words
	words.Rule = ""

	g.mu.Lock()
	defer g.mu.Unlock()
	octets := uint64(len(host) + len(sni) + len(alpn) + len(user))
	for g.next-g.first == uint64(len(g.rows)) || g.first < g.next && g.end+octets-g.at(g.first).names > uint64(len(g.names)) {
		g.words.release(g.at(g.first).words)
		g.rules.release(g.at(g.first).rule)
		g.first++
	}
	p.names, p.words, p.rule = g.end, g.words.take(words), g.rules.take(r.Rule)
	for _, name := range [...]string{host, sni, alpn, user} {
		for len(name) > 0 {
			n := copy(g.names[g.end%uint64(len(g.names)):], name)
			name, g.end = name[n:], g.end+uint64(n)
		}
	}
	*g.at(g.next) = p
	g.next++
}

// at returns the place of a row.
func (g *ring) at(number uint64) *packed { return &g.rows[number%uint64(len(g.rows))] }

// chunkRows is how many rows are copied at a time.
const chunkRows = 256

// chunk is a copy of some rows, the newest first. It may be used again.
type chunk struct {
	number uint64 // of the first row
	rows   []packed
	words  []*Words
	rules  []string
	buf    []byte
	names  string // of all rows
	begin  []int  // of each row in names
}

func (c *chunk) view(i int) view {
	return view{&c.rows[i], c.words[i], c.rules[i], c.names[c.begin[i]:]}
}

// before copies rows that were added before number from; none if there are no older ones.
func (g *ring) before(from uint64, c *chunk) {
	c.rows, c.words, c.rules, c.buf, c.begin = c.rows[:0], c.words[:0], c.rules[:0], c.buf[:0], c.begin[:0]
	g.mu.Lock()
	from = min(from, g.next)
	for n := from; n > g.first && len(c.rows) < chunkRows; n-- {
		g.copy(c, n-1)
	}
	g.mu.Unlock()
	c.number, c.names = from-1, string(c.buf)
}

// copy appends a row to a chunk.
func (g *ring) copy(c *chunk, number uint64) {
	p := g.at(number)
	c.rows, c.words, c.rules = append(c.rows, *p), append(c.words, g.words.of(p.words)), append(c.rules, *g.rules.of(p.rule))
	c.begin = append(c.begin, len(c.buf))
	for at, end := p.names, p.names+uint64(p.octets()); at < end; {
		from := at % uint64(len(g.names))
		part := g.names[from:min(from+end-at, uint64(len(g.names)))]
		c.buf, at = append(c.buf, part...), at+uint64(len(part))
	}
}

// get returns the row of a session.
func (g *ring) get(id string) (Row, bool) {
	const scan = 4096 // rows, which takes some microseconds
	wanted, ok := key(id)
	for from := ^uint64(0); ok; {
		var c chunk
		g.mu.Lock()
		from = min(from, g.next)
		end := max(g.first, from-min(from, scan))
		for ; from > end && len(c.rows) == 0; from-- {
			if g.at(from-1).id == wanted {
				g.copy(&c, from-1)
			}
		}
		over := from <= g.first
		g.mu.Unlock()
		if len(c.rows) > 0 {
			c.names = string(c.buf)
			return c.view(0).row(), true
		}
		if over {
			break
		}
	}
	return Row{}, false
}

// total returns how many rows were added, and how many are kept.
func (g *ring) total() (added uint64, kept int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.next, int(g.next - g.first)
}
