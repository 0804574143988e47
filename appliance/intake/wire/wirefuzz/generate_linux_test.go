package wirefuzz

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// generator makes cases.
type generator struct {
	*rand.Rand
	c *Case
}

// generate returns the case of a seed.
func generate(seed uint64) *Case {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	g := &generator{rand.New(rand.NewChaCha8(key)), new(Case)}
	g.c.V6 = g.chance(3)
	g.c.Stamps = g.chance(2)
	g.c.Bare = g.chance(8)
	g.c.Wrap = g.chance(8)
	if g.chance(10) {
		g.c.Port = mailPort
	}
	switch {
	case g.chance(4):
		g.byOrigin()
	case g.chance(6):
		g.behaves()
	default:
		g.byClient()
	}
	return g.c
}

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// Waits in ms, most of them none. The longest ones exceed the time for which a flow is
// held without a decision.
func (g *generator) wait() int {
	switch {
	case g.chance(100):
		return 3300
	case g.chance(40):
		return 1200
	case g.chance(12):
		return 260
	case g.chance(4):
		return pick(g, 5, 20, 60)
	}
	return 0
}

func (g *generator) add(s ...Segment) { g.c.Steps = append(g.c.Steps, s...) }

// insert puts a step at a place between others.
func (g *generator) insert(from int, s Segment) {
	g.c.Steps = slices.Insert(g.c.Steps, from+g.IntN(len(g.c.Steps)-from+1), s)
}

// maxSegment is how much payload fits into a frame whatever else is there.
const maxSegment = 1300

// parts cuts a text into segments.
func (g *generator) parts(text string, most int) (list []Segment) {
	n := len(texts[text])
	cuts := []int{0, n}
	for range g.IntN(most) {
		cuts = append(cuts, 1+g.IntN(max(1, n-1)))
	}
	for at := maxSegment; at < n; at += maxSegment {
		cuts = append(cuts, at)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i, from := range cuts[:len(cuts)-1] {
		s := Segment{Flags: "PA", Text: text, From: from, To: cuts[i+1]}
		if s.From == 0 && s.To == n {
			s.To = 0
		}
		list = append(list, s)
	}
	return list
}

// behaves makes a case of a client that does nothing that is not allowed: octets in
// any order, twice, in any segments. They have to arrive.
func (g *generator) behaves() {
	text := pick(g, "bank", "bank", "bank2", "bank9", "bump", "bump2", "bump9")
	g.c.Must = text
	g.add(Segment{Flags: "S"}, Segment{Flags: "A"})
	parts := g.parts(text, 5)
	for range g.IntN(3) {
		parts = append(parts, pick(g, parts...))
	}
	if g.chance(2) {
		g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	}
	for i := range parts {
		if g.chance(3) {
			parts[i].After = min(g.wait(), 700) // for less than lifeLimit in all
		}
	}
	g.add(parts...)
	if g.chance(3) { // what every receiver of TCP may meet
		i := 2 + g.IntN(len(parts))
		s := g.c.Steps[i]
		g.harmless(&s)
		g.c.Steps = slices.Insert(g.c.Steps, i, s)
	}
}

// harmless makes a copy of a segment one that a receiver drops, or takes as it is.
func (g *generator) harmless(s *Segment) {
	switch g.IntN(5) {
	case 0:
		s.BadSum = true
	case 1:
		s.BadIPSum = true
	case 2:
		s.Trailer = 1 + g.IntN(8)
	case 3:
		s.TTL = 200
	case 4:
		s.Flags = "A"
	}
}

// byClient makes a case in which the client attacks.
func (g *generator) byClient() {
	truth, decoy := "evil", pick(g, "bank", "bank", "bank", "bump", "plain", "word", "zero")
	switch {
	case g.chance(5):
		truth, decoy = "evil2", pick(g, "bank2", "bump2", "bank2")
	case g.chance(12):
		truth, decoy = "evil9", pick(g, "bank9", "bump9", "bank9")
	}
	g.add(Segment{Flags: "S"}, Segment{Flags: "A"})
	if g.chance(12) {
		g.c.Steps = g.c.Steps[:1] // the first payload completes the handshake
	}
	handshake := len(g.c.Steps)
	var changed []int // steps that are for changes
	switch g.IntN(6) {
	case 0: // nothing before the hello
	case 1, 2: // a decoy
		g.add(g.parts(decoy, 2)...)
		changed = append(changed, handshake)
		if g.chance(2) {
			g.c.Steps[handshake].After = g.wait()
		}
	case 3: // parts of both, in any order
		parts := append(g.parts(decoy, 4), g.parts(truth, 4)...)
		g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		g.add(parts[:1+g.IntN(len(parts))]...)
	case 4: // the hello in parts, in any order
		parts := g.parts(truth, 5)
		g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		g.add(parts...)
	case 5: // damaged octets
		s := Segment{Flags: "PA", Text: "harm", BadSum: true}
		if g.chance(2) {
			s.From = g.IntN(100)
		}
		g.add(s)
	}
	for range g.few(3) {
		g.insert(min(1, len(g.c.Steps)), g.noise())
	}
	if g.chance(10) { // another connection with the same addresses and ports
		at := 1 + g.IntN(len(g.c.Steps))
		g.c.Steps = slices.Insert(g.c.Steps, at, Segment{Flags: "S", Life: 1, After: g.wait()}, Segment{Await: true, Flags: "A", Life: 1})
		if g.chance(2) {
			for i := at; i < len(g.c.Steps); i++ {
				g.c.Steps[i].Life = 1
			}
		}
	}
	// The hello, again and again.
	life := g.c.Steps[len(g.c.Steps)-1].Life
	for range 1 + g.IntN(2) {
		final := g.parts(truth, 1)
		final[0].After = pick(g, 0, 5, 20, 60, 300)
		for i := range final {
			final[i].Life = life
		}
		g.add(final...)
	}
	for i := range g.c.Steps {
		if g.chance(12) {
			g.c.Steps[i].After = g.wait()
		}
	}
	if g.chance(20) {
		g.c.Steps[1].Rash = true
	}
	g.change(changed)
}

// few is a small number: mostly none or one.
func (g *generator) few(most int) (n int) {
	for n < most && g.chance(2) {
		n++
	}
	return n
}

// change changes single segments, or all of them in one way.
func (g *generator) change(preferred []int) {
	if g.chance(5) {
		f := g.changer()
		from := pick(g, 0, 0, 1, 2)
		for i := range g.c.Steps {
			if i >= from {
				f(&g.c.Steps[i])
			}
		}
		return
	}
	for _, i := range preferred {
		g.changer()(&g.c.Steps[i])
	}
	for range g.few(3) {
		g.changer()(&g.c.Steps[g.IntN(len(g.c.Steps))])
	}
}

// byOrigin makes a case in which the origin attacks a client that says what is
// forbidden.
func (g *generator) byOrigin() {
	g.c.Origin = true
	g.c.Hello = pick(g, "", "", "", "evil2", "bank")
	g.add(Segment{Flags: "SA"})
	if g.chance(4) {
		g.c.Steps = nil
	}
	if g.chance(3) {
		g.add(Segment{Await: true, Flags: "A"})
	}
	for range 1 + g.few(3) {
		g.insert(0, g.noise())
	}
	for range g.few(2) {
		g.add(Segment{Await: true, Flags: pick(g, "A", "A", "SA", "S", "R", "FA", "PA"), Text: pick(g, "", "", "word", "plain")})
	}
	for i := range g.c.Steps {
		if i > 0 && g.chance(3) {
			g.c.Steps[i].Await = true
		}
		if g.chance(12) {
			g.c.Steps[i].After = min(g.wait(), 300)
		}
	}
	for range g.few(2) {
		g.changer()(&g.c.Steps[g.IntN(len(g.c.Steps))])
	}
}

// noise is a segment that does not belong where it is.
func (g *generator) noise() Segment {
	s := Segment{
		Flags: pick(g, "R", "R", "RA", "RA", "FA", "F", "A", "S", "SA", "PA", "", "SF", "SR", "SRA", "FPU", "UA", "PAEC", "FSRPAU"),
		After: g.wait(),
	}
	if g.chance(2) {
		s.Seq = g.offset()
	}
	if g.chance(3) {
		s.Ack = g.offset()
	}
	if g.chance(4) {
		s.BadSum = true
	}
	if g.chance(6) {
		s.Life = 1
	}
	if g.chance(5) {
		s.Text = pick(g, "word", "zero", "plain", "bank", "evil", "bump")
	}
	if s.Text == "evil" && s.BadSum {
		s.Text = "harm"
	}
	return s
}

// offset is how far numbers are from what is right.
func (g *generator) offset() int64 {
	return pick[int64](g, 1, -1, 2, -100, 100, 1000, -70_000, 64_000, 70_000, 8_000_000, 9_000_000, 1<<31-1, 1<<31, -1<<31+70_000)
}

// changer returns one way to change a segment. Its choices are made already: it does
// the same to each segment.
func (g *generator) changer() func(*Segment) {
	switch g.IntN(26) {
	case 0:
		return func(s *Segment) {
			s.BadSum = true
			if s.Text == "evil" {
				s.Text = "harm"
			}
		}
	case 1:
		return func(s *Segment) { s.BadIPSum = true }
	case 2:
		ttl := pick(g, 1, 1, -1, 2, 255)
		return func(s *Segment) { s.TTL = ttl }
	case 3, 4:
		o := pick(g, "01010101", "00000000", "94040000", "07070400000000", "440c05000000000000000000", "830704c000020a00",
			"890704c000020a00", "8603000000", "ff04ffff", "8808000000000000"[:8], "0100ffff")
		names := []string{pick(g, extensionNames...)}
		if g.chance(4) {
			names = append(names, pick(g, extensionNames...))
		}
		return func(s *Segment) { s.IPOption, s.Headers = o, names }
	case 5:
		return func(s *Segment) { s.Mapped = true }
	case 6:
		n := pick(g, -1, -8, -20, 1, 8, 1000)
		return func(s *Segment) { s.Length = n }
	case 7:
		n := 1 + g.IntN(40)
		return func(s *Segment) { s.Trailer = n }
	case 8, 9, 10:
		at := pick(g, []int{8}, []int{24}, []int{16, 24, 48}, []int{64}, []int{8, 16, 24, 32, 40, 48, 56, 64, 72, 80})
		reverse, cover := g.chance(3), pick(g, "", "", "bank", "evil")
		return func(s *Segment) { s.Fragments, s.Reverse, s.Cover = at, reverse, cover }
	case 11:
		mac := pick(g, "broadcast", "group", "other", "from other")
		return func(s *Segment) { s.MAC = mac }
	case 12, 13:
		tags := pick(g, []uint32{etherVLAN << 16}, []uint32{etherVLAN << 16, etherVLAN << 16}, []uint32{etherVLAN<<16 | 0xe000},
			[]uint32{etherVLAN<<16 | 7}, []uint32{etherQinQ << 16}, []uint32{etherQinQ << 16, etherVLAN << 16}, []uint32{etherVLAN<<16 | 0xfff},
			[]uint32{etherVLAN << 16, etherVLAN<<16 | 7}, []uint32{0x9100 << 16}, []uint32{etherVLAN<<16 | 0x1000},
			[]uint32{etherVLAN << 16, etherVLAN << 16, etherVLAN << 16})
		return func(s *Segment) { s.Tags = tags }
	case 14, 15:
		time := pick(g, "old", "old", "future", "none", "zero", "odd")
		return func(s *Segment) { s.Time = time }
	case 16:
		o := pick(g, "1312"+"00112233445566778899aabbccddeeff", "1d10"+"0101"+"00112233445566778899aabb", "1e04ffff", "0000", "02", "0801",
			"050a0000000100000005", "1c048001", "fd04f989", "03030e", "020400ff", "22020000", "080affffffff00000000", "0803ff", "0100080a0000000100000001")
		return func(s *Segment) { s.Option = o }
	case 17:
		flags := pick(g, "", "P", "F", "PFA", "PS", "PSA", "PR", "PRA", "PUA", "PAEC", "PU", "FSRPAU", "A", "SFPA")
		return func(s *Segment) { s.Flags = flags }
	case 18:
		n := g.offset()
		return func(s *Segment) { s.Ack = n }
	case 19:
		n := 1 + g.IntN(150)
		return func(s *Segment) { s.Flags, s.Urgent = "PUA", n }
	case 20:
		n := pick(g, -1, 1, 100)
		return func(s *Segment) { s.Window = n }
	case 21:
		n := pick(g, -2, -1, 1, 5)
		return func(s *Segment) { s.Words = n }
	case 22:
		n := g.offset()
		return func(s *Segment) { s.Seq = n }
	case 23:
		text := pick(g, "evil", "bank", "bump", "word")
		return func(s *Segment) {
			if s.has("S") {
				s.Text, s.TFO = text, true
			} else {
				s.Text = text
			}
		}
	case 24:
		v := pick(g, 5, 6, 4, 15)
		return func(s *Segment) { s.Version = v }
	default:
		return func(s *Segment) { s.SNAP = true }
	}
}

var extensionNames = func() (list []string) {
	for name := range extensions {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}()
