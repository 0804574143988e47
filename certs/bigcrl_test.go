package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// bigCRL is a list of about size octets, good in every respect. It lists the
// serial numbers 1<<62 + n.
func bigCRL(t testing.TB, issuer *node, size int) []byte {
	t.Helper()
	entry := append([]byte{0x30, 25, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x17, 13}, testNow.Add(-day).UTC().Format("060102150405Z")...)
	entries := make([]byte, 0, size)
	for n := uint64(0); len(entries) < size; n++ {
		binary.BigEndian.PutUint64(entry[4:], 1<<62+n)
		entries = append(entries, entry...)
	}
	algorithm := []byte{0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}
	var tbs, list cryptobyte.Builder
	tbs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddBytes(algorithm)
		b.AddBytes(issuer.cert.RawSubject)
		b.AddASN1(cbasn1.UTCTime, func(b *cryptobyte.Builder) {
			b.AddBytes([]byte(testNow.Add(-time.Hour).UTC().Format("060102150405Z")))
		})
		b.AddASN1(cbasn1.UTCTime, func(b *cryptobyte.Builder) { b.AddBytes([]byte(testNow.Add(day).UTC().Format("060102150405Z"))) })
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(entries) })
		b.AddASN1(contextTag(0).Constructed(), func(b *cryptobyte.Builder) {
			b.AddBytes([]byte{0x30, 12, 0x30, 10, 6, 3, 0x55, 0x1d, 20, 4, 3, 2, 1, 7}) // number 7
		})
	})
	signed := tbs.BytesOrPanic()
	sum := sha256.Sum256(signed)
	signature, err := issuer.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	list.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(signed)
		b.AddBytes(algorithm)
		b.AddASN1BitString(signature)
	})
	return list.BytesOrPanic()
}

// A list at the default bound is read, in memory of a share of its size; one of
// 50 MB is not, and that is said.
func TestBigCRL(t *testing.T) {
	if testing.Short() {
		t.Skip("a list of 32 MiB")
	}
	p := newPKI(t)
	r := newResponder(t, p)
	url := pointsTo(r.URL + "/big")
	listed, free := p.leaf(t, url, serial(big.NewInt(1<<62+77))), p.leaf(t, url)
	fits := bigCRL(t, p.inter, 32<<20-1000)
	if len(fits) > 32<<20 || len(fits) < 32<<20-2000 {
		t.Fatalf("list of %d octets", len(fits))
	}
	r.set(func() { r.body = fits })
	judge := p.judgeOf(RevocationSoft)
	ask := func(j *Judge, n *node) error {
		return j.Verify(t.Context(), testHost, presenting(n.cert, p.inter.cert))
	}
	if err := ask(judge, listed); ReasonOf(err) != Revoked {
		t.Errorf("listed: %v", err)
	}
	if err := ask(judge, free); err != nil {
		t.Errorf("not listed: %v", err)
	}
	if n := r.asked.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	if cost := judge.revocation.sources.cache.cost; cost > int64(len(fits))*2/3 || cost < int64(len(fits))/2 {
		t.Errorf("%d octets kept of a list of %d", cost, len(fits))
	}
	r.set(func() { r.body = append(fits, make([]byte, 50_000_000-len(fits))...) })
	hard := p.judgeOf(RevocationHard)
	err := ask(hard, listed)
	if ReasonOf(err) != RevocationUnknown || !strings.Contains(err.Error(), "too long: ") || !strings.Contains(err.Error(), "at most 33554432") {
		t.Errorf("50 MB: %v", err)
	}
}

// Reading a list takes memory for its index and nothing for its entries.
func TestCRLMemory(t *testing.T) {
	p := newPKI(t)
	der := bigCRL(t, p.inter, 4<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	list, err := ParseCRL(der)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := after.TotalAlloc-before.TotalAlloc, uint64(list.cost())+1<<16; got > want {
		t.Errorf("%d octets allocated for %d serial numbers, want at most %d", got, len(list.revoked), want)
	}
	if !list.lists(big.NewInt(1<<62+5)) || list.lists(big.NewInt(1<<61)) || list.checkIssuer(p.inter.cert) != nil {
		t.Error("wrong list")
	}
}

func BenchmarkParseCRL(b *testing.B) {
	p := newPKI(b)
	der := bigCRL(b, p.inter, 32<<20)
	b.SetBytes(int64(len(der)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseCRL(der); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRevocation compares judgements without and with a question about
// revocation, at their dearest and at their usual.
func BenchmarkRevocation(b *testing.B) {
	p := newPKI(b)
	r := newResponder(b, p)
	bare := presenting(p.chain(p.leaf(b))...)
	listed := presenting(p.chain(p.leaf(b, pointsTo(r.URL+"/crl")))...)
	asked := presenting(p.chain(p.leaf(b, asksAt(r.URL+"/ocsp")))...)
	staple := (&stapled{by: delegate()}).response(b, p, bare.PeerCertificates)
	for _, row := range []struct {
		name  string
		mode  RevocationMode
		state []*x509.Certificate
		ocsp  []byte
	}{
		{"off", RevocationOff, bare.PeerCertificates, nil},
		{"soft, no source", RevocationSoft, bare.PeerCertificates, nil},
		{"soft, staple of a delegate", RevocationSoft, bare.PeerCertificates, staple},
		{"soft, list in the cache", RevocationSoft, listed.PeerCertificates, nil},
		{"soft, OCSP in the cache", RevocationSoft, asked.PeerCertificates, nil},
	} {
		b.Run(row.name, func(b *testing.B) {
			judge := p.judgeOf(row.mode)
			state := presenting(row.state...)
			state.OCSPResponse = row.ocsp
			b.ReportAllocs()
			for b.Loop() {
				judge.judge(b.Context(), testHost, state, testNow)
			}
		})
	}
	b.Run("soft, OCSP asked", func(b *testing.B) {
		state := presenting(asked.PeerCertificates...)
		for b.Loop() {
			p.judgeOf(RevocationSoft).judge(b.Context(), testHost, state, testNow)
		}
	})
}
