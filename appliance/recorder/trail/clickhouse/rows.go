package clickhouse

import (
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

const day = 24 * time.Hour

// dayOf returns the day of an identifier, since 1970.
func dayOf(id trail.ID) uint32 { return uint32(binary.BigEndian.Uint64(id[:8]) / uint64(day)) }

func sessions(version uint64, b *trail.Batch) (r rows) {
	for i := range b.Sessions {
		x := &b.Sessions[i]
		r.u32(dayOf(x.ID))
		r.fixed(x.ID[:])
		r.u64(version)
		r.time(x.Start)
		r.time(x.End)
		r.texts(x.Source)
		r.address(x.Client)
		r.address(x.Server)
		r.texts(x.Transport, x.Protocol)
		r.u16(x.VLAN)
		r.texts(x.Tunnel)
		for _, n := range []uint64{x.Up, x.Down, x.GapUp, x.GapDown, x.Packets} {
			r.u64(n)
		}
		r.u8(uint8(x.Flags))
		r.bool(x.Open)
		r.texts(x.Stop, x.SNI, x.ALPN, x.JA4, x.TLS, x.Rule, x.Audit, x.User)
	}
	return r
}

func events(version uint64, b *trail.Batch) (r rows) {
	names := make(map[trail.ID][]string)
	for i := range b.Sightings {
		if x := &b.Sightings[i]; x.Name != "" {
			names[x.Event] = append(names[x.Event], x.Name)
		}
	}
	for i := range b.Events {
		x := &b.Events[i]
		r.u32(dayOf(x.ID))
		r.fixed(x.ID[:])
		r.u64(version)
		r.fixed(x.Session[:])
		r.u64(x.Seq)
		r.time(x.At)
		r.texts(x.Kind, x.Protocol)
		r.address(x.Client)
		r.address(x.Server)
		r.texts(x.Method, x.Host, x.URI)
		r.i64(int64(x.Status))
		r.texts(x.Type, x.Agent, x.Referrer, x.Sender, x.Subject, x.MessageID)
		words := append([]string{x.Host, x.URI, x.Subject, x.Sender, x.User}, names[x.ID]...)
		r = binary.AppendUvarint(r, uint64(len(x.Parties)))
		for _, p := range x.Parties {
			r.u8(uint8(p.Role))
			words = append(words, p.Address)
		}
		r = binary.AppendUvarint(r, uint64(len(x.Parties)))
		for _, p := range x.Parties {
			r.texts(strings.ToLower(p.Address))
		}
		r.texts(x.User, x.Mechanism, x.Outcome)
		r.u64(x.Up)
		r.u64(x.Down)
		r.texts(x.Answers, tokens(words...))
	}
	return r
}

// tokens returns the tokens of texts, with a blank before and behind each of them.
func tokens(texts ...string) string { return " " + trail.TokenText(texts...) + " " }

func sightings(version uint64, b *trail.Batch) (r rows) {
	for i := range b.Sightings {
		x := &b.Sightings[i]
		r.u32(dayOf(x.Event))
		r.fixed(x.Event[:])
		r.u32(uint32(x.Number))
		r.u64(version)
		r.fixed(x.Hash[:])
		r.time(x.At)
		r.u8(uint8(x.Direction))
		r.texts(x.Name, x.RawName, x.Type, x.Part, x.Field)
		r.fixed(x.Parent[:])
		r.texts(x.Ending)
		r.u64(x.Size)
	}
	return r
}

func findings(version uint64, b *trail.Batch) (r rows) {
	for i := range b.Findings {
		x := &b.Findings[i]
		r.u32(dayOf(x.Event))
		r.fixed(x.Event[:])
		r.fixed(x.ID[:])
		r.u64(version)
		r.fixed(x.Hash[:])
		r.time(x.At)
		r.texts(x.Rule, x.Detector)
		r.u64(x.Count)
		r.i64(int64(x.Score))
		r.texts(x.Sample, x.Place)
	}
	return r
}

// objects writes rows whose version is greater the earlier the object was seen, so that the
// first time remains.
func objects(b *trail.Batch) (r rows) {
	for i := range b.Objects {
		x := &b.Objects[i]
		r.fixed(x.Hash[:])
		r.u64(x.Stored)
		r.texts(string(trail.PackHoles(x.Holes)))
		first := int64(0)
		if !x.First.IsZero() {
			first = x.First.UnixNano()
		}
		r.u64(math.MaxInt64 - uint64(max(first, 0)))
		r.u64(x.Size)
		r.texts(x.Type)
		r.i64(first)
		r.u64(x.More)
	}
	return r
}

func bodies(version uint64, b *trail.Batch) (r rows) {
	for i := range b.Texts {
		x := &b.Texts[i]
		r.u32(uint32(max(x.At.Unix(), 0) / int64(day/time.Second)))
		r.fixed(x.Hash[:])
		r.u64(version)
		r.texts(tokens(x.Text))
	}
	return r
}

func who(version uint64, b *trail.Batch) (r rows) {
	for i := range b.Who {
		x := &b.Who[i]
		r.u32(uint32(max(x.From.Unix(), 0) / int64(day/time.Second)))
		a := octets(x.Address)
		r.fixed(a[:])
		r.time(x.From)
		r.time(x.To)
		r.u64(version)
		r.texts(x.MAC, x.Host, x.User, x.Source)
	}
	return r
}

func pending(version uint64, b *trail.Batch) (r rows) {
	for i := range b.Pending {
		x := &b.Pending[i]
		r.fixed(x.Hash[:])
		r.texts(x.Work)
		r.u64(version)
		r.texts(x.Why)
		r.time(x.At)
	}
	return r
}
