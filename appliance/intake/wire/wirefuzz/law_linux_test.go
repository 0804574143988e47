package wirefuzz

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func TestHellos(t *testing.T) {
	for text, name := range map[string]string{
		"evil": evilName, "bank": bankName, "bump": bumpName, "harm": harmName, "evil2": evilName, "bank2": bankName, "bump2": bumpName,
	} {
		if got := nameIn(texts[text]); got != name {
			t.Errorf("%s is a hello for %q, want %q", text, got, name)
		}
		if got, want := len(texts[text]), len(texts["evil"+text[4:]]); got != want {
			t.Errorf("%s has %d octets, want %d", text, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	evil, bank, bump := texts["evil"], texts["bank"], texts["bump"]
	c := &Case{Steps: []Segment{{Text: "harm", BadSum: true}}}
	for _, tt := range []struct {
		name    string
		streams [][]byte
		judged  []judgement
		want    string
	}{
		{"nothing", nil, nil, ""},
		{"a connection without octets", [][]byte{{}}, nil, ""},
		{"what passes", [][]byte{bank}, []judgement{{passed, bank}}, ""},
		{"a part of it", [][]byte{bank[:10]}, []judgement{{passed, bank}}, ""},
		{"more behind it", [][]byte{append(bytes.Clone(bank), evil...)}, []judgement{{passed, bank}}, ""},
		{"what is relayed", [][]byte{bump[:50]}, []judgement{{relayed, bump[:50]}, {relayed, bump}}, ""},
		{"the second connection", [][]byte{{}, bump}, []judgement{{passed, bank}, {relayed, bump}}, ""},
		{"a part of what was terminated", [][]byte{evil[:10]}, []judgement{{ended, evil}}, differs},
		{"forbidden", [][]byte{evil}, []judgement{{passed, evil}}, forbidden},
		{"unjudged", [][]byte{[]byte("x")}, nil, unjudged},
		{"other octets than passed", [][]byte{bump}, []judgement{{passed, bank}}, differs},
		{"more than was relayed", [][]byte{bump}, []judgement{{relayed, bump[:50]}}, differs},
		{"a gap", [][]byte{bank[1:]}, []judgement{{passed, bank}}, differs},
		{"damaged", [][]byte{texts["harm"]}, []judgement{{passed, texts["harm"]}}, damaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if d := check(c, tt.streams, tt.judged); d != nil {
				got = d.kind
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// testWay returns addresses of a case, without a rig.
func testWay(v6 bool) way {
	r := &rig{layout: cable}
	return r.way(&Case{V6: v6})
}

// Frames that are in order are for another decoder what they are meant to be.
func TestFrames(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		w := testWay(v6)
		s := &Segment{Flags: "PA", Text: "bank", From: 3, To: 50, Tags: []uint32{etherVLAN<<16 | 7}, Headers: []string{"hop-by-hop", "destination"}}
		n := numbers{seq: 77, ack: 88, stamps: true, time: 5, echo: 6}
		frames := s.frames(w, n, false)
		if len(frames) != 1 {
			t.Fatalf("%d frames, want 1", len(frames))
		}
		p := gopacket.NewPacket(frames[0], layers.LayerTypeEthernet, gopacket.Default)
		if e := p.ErrorLayer(); e != nil {
			t.Fatal(e.Error())
		}
		tcp, _ := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if tcp == nil {
			t.Fatalf("no TCP in\n%v", p)
		}
		if tcp.Seq != 77 || tcp.Ack != 88 || !tcp.PSH || !tcp.ACK || tcp.SYN || !bytes.Equal(tcp.Payload, texts["bank"][3:50]) {
			t.Errorf("got %+v", tcp)
		}
		if !sound(p) {
			t.Error("bad checksum")
		}
		if (p.Layer(layers.LayerTypeIPv6Destination) != nil) != v6 || p.Layer(layers.LayerTypeDot1Q) == nil {
			t.Errorf("layers: %v", p)
		}
		s.BadSum = true
		p = gopacket.NewPacket(s.frames(w, n, false)[0], layers.LayerTypeEthernet, gopacket.Default)
		if sound(p) {
			t.Error("good checksum, want a bad one")
		}
	}
}

// sound reports whether the checksum of a TCP packet is good.
func sound(p gopacket.Packet) bool {
	tcp := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
	if err := tcp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
		return false
	}
	err, result := tcp.VerifyChecksum()
	return err == nil && result.Valid
}

// What fragments carry is the packet without them.
func TestFragments(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		w := testWay(v6)
		s := Segment{Flags: "PA", Text: "bank", Fragments: []int{8, 24, 64}}
		var got []byte
		frames := s.frames(w, numbers{}, false)
		for i, f := range frames {
			p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
			var offset uint16
			var more bool
			if v6 {
				l, _ := p.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment)
				offset, more, got = l.FragmentOffset, l.MoreFragments, append(got, l.Payload...)
			} else {
				l, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
				offset, more, got = l.FragOffset, l.Flags&layers.IPv4MoreFragments != 0, append(got, l.Payload...)
			}
			if want := []uint16{0, 1, 3, 8}[i]; offset != want || more != (i < 3) {
				t.Errorf("fragment %d at %d, more %v", i, offset, more)
			}
		}
		if want := s.tcp(w, numbers{}, texts["bank"], false); !bytes.Equal(got, want) {
			t.Errorf("%d octets differ from the packet's %d", len(got), len(want))
		}
	}
}

// hear reads what frames writes.
func TestHear(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		w := testWay(v6)
		s := Segment{Flags: "SA", Text: "word"}
		got, ok := hear(s.frames(w, numbers{seq: 1, ack: 2, stamps: true, time: 3}, false)[0])
		want := heard{from: w.from, to: w.to, seq: 1, ack: 2, flags: 0x12, time: 3, body: []byte("x")}
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, ok, want)
		}
	}
}

func FuzzHear(f *testing.F) {
	s := Segment{Flags: "SA", Text: "word"}
	f.Add(s.frames(testWay(false), numbers{}, false)[0])
	f.Add(s.frames(testWay(true), numbers{stamps: true}, false)[0])
	f.Fuzz(func(t *testing.T, b []byte) { hear(b) })
}

// A seed is a case: always the same one, and one whose frames can be made.
func TestGenerate(t *testing.T) {
	ways := map[bool]way{false: testWay(false), true: testWay(true)}
	seen := make(map[string]int)
	for seed := range uint64(1000) {
		c := generate(seed)
		if again := generate(seed); !cmp.Equal(c, again) {
			t.Fatalf("seed %d: %s", seed, cmp.Diff(c, again))
		}
		text, err := json.Marshal(c)
		read := new(Case)
		if err != nil || json.Unmarshal(text, read) != nil || !cmp.Equal(c, read) {
			t.Fatalf("seed %d is not what its JSON says: %s", seed, text)
		}
		for i := range c.Steps {
			for _, frame := range c.Steps[i].frames(ways[c.V6], numbers{}, c.Bare) {
				if len(frame) > 14+1500+64 {
					t.Fatalf("seed %d, step %d: a frame of %d octets", seed, i, len(frame))
				}
			}
		}
		for word, is := range map[string]bool{"origin": c.Origin, "IPv6": c.V6, "must": c.Must != "", "mail": c.Port != 0, "wrap": c.Wrap} {
			if is {
				seen[word]++
			}
		}
	}
	for _, word := range []string{"origin", "IPv6", "must", "mail", "wrap"} {
		if seen[word] < 60 {
			t.Errorf("%d of 1000 cases are of %s", seen[word], word)
		}
	}
}

func TestReduction(t *testing.T) {
	c := &Case{V6: true, Steps: []Segment{{Flags: "S", TTL: 3}, {Flags: "A", TTL: 4, Await: true}, {Flags: "PA", Text: "bank"}}}
	list := changes(c)
	var got []*Case
	for _, h := range list {
		got = append(got, apply(c, []change{h}))
	}
	want := []*Case{
		{Steps: c.Steps},
		{V6: true, Steps: []Segment{c.Steps[0], c.Steps[1], {Flags: "PA"}}},
		{V6: true, Steps: []Segment{{Flags: "S"}, c.Steps[1], c.Steps[2]}},
		{V6: true, Steps: []Segment{c.Steps[0], {Flags: "A", Await: true}, c.Steps[2]}},
		{V6: true, Steps: []Segment{{Flags: "S"}, {Flags: "A", Await: true}, c.Steps[2]}},
		{V6: true, Steps: c.Steps[1:]},
		{V6: true, Steps: []Segment{c.Steps[0], c.Steps[2]}},
		{V6: true, Steps: c.Steps[:2]},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ways to reduce (-want +got):\n%s", d)
	}
	all := apply(c, []change{{0, -1, false}, {2, -1, false}, {1, reflect.TypeFor[Segment]().NumField() - 1, false}})
	if len(all.Steps) != 1 || all.Steps[0].Flags != "A" {
		t.Errorf("two steps less: %v", all)
	}
}
