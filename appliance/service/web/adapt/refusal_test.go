package adapt

import (
	"slices"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// TestWordsOfFaults: each fault of a strict reader has a documented word.
func TestWordsOfFaults(t *testing.T) {
	words := []string{
		BadStart, BadVersion, BareCR, BareLF, Control, Folded, BadName, HeadSize, BadLength, DuplicateLength,
		LengthAndCoding, BadCoding, OldCoding, BadHost, ConnectBody, BadChunk, BadTrailer,
	}
	for f := http1.Sound + 1; f.String() != "unknown"; f++ {
		if !slices.Contains(words, f.String()) {
			t.Errorf("%v has no word", f)
		}
	}
}
