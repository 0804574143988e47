package rowstest

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"math/rand/v2"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// Row is one way to transfer files.
type Row struct {
	Name  string
	Talks []Talk // connections, each after the one before
	Files []File // that are transferred
}

// Talk is one TCP connection.
type Talk struct {
	Server uint16 // port; 0: 80
	Client uint16 // port; 0: one of its own
	Active bool   // the server's end opens it, from Client to Server
	Steps  []Step
	Reset  bool // it ends so
}

// Step is octets that one end sends.
type Step struct {
	From   proto.Direction
	Octets []byte
	Lose   int   // octets behind Octets that were sent and not captured
	Then   *Talk // a connection that is made now, and ends
}

// File is one that is transferred.
type File struct {
	Name     string // as its owner sees it; "": none
	Octets   []byte
	Received bool // by the client
	Holes    int
	Within   bool // in an archive that is transferred
}

// SHA256 returns the hash of the file in hexadecimal digits.
func (f *File) SHA256() string {
	h := sha256.Sum256(f.Octets)
	return hex.EncodeToString(h[:])
}

// Octets returns octets that no other name has, and that do not shrink.
func Octets(name string, n int) []byte {
	h := fnv.New64a()
	h.Write([]byte(name))
	var seed [32]byte
	h.Sum(seed[:0])
	p := make([]byte, n)
	rand.NewChaCha8(seed).Read(p)
	return p
}

// prose returns text that no other name has, in lines.
func prose(name string, lines int) []byte {
	r := rand.New(rand.NewChaCha8([32]byte(Octets(name, 32))))
	words := []string{"quarter", "figures", "見積", "顧客", "result", "of", "the", "plan", "for", "next", "year", "会議", "and", "料金"}
	var p []byte
	for range lines {
		for range 8 {
			p = append(p, words[r.IntN(len(words))]...)
			p = append(p, ' ')
		}
		p[len(p)-1] = '\n'
	}
	return p
}

const (
	up   = proto.ClientToOrigin
	down = proto.OriginToClient
)

// say returns a step.
func say(from proto.Direction, octets string) Step { return Step{From: from, Octets: []byte(octets)} }

// Rows returns all rows.
func Rows() (rows []Row) {
	for _, more := range [][]Row{webRows(), formRows(), uploadRows(), mailRows(), mailboxRows(), ftpRows(), socketRows(), http2Rows(), storeRows(), otherFormRows(), http2FrameRows(), otherMailRows(), smbRows()} {
		rows = append(rows, more...)
	}
	return rows
}
