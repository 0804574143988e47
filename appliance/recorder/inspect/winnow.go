package inspect

import "unicode/utf8"

const (
	grain  = 40 // characters of a passage whose hash is one fingerprint
	window = 50 // passages of which one fingerprint is kept
)

// base is that of the rolling hash, and power what the oldest character is multiplied with.
const base = 1_000_003

var power = func() uint64 {
	p := uint64(1)
	for range grain {
		p *= base
	}
	return p
}()

// fingerprints calls f with the fingerprints of a text by winnowing (Schleimer and others,
// 2003): of each window of passages, the one with the least hash. White space does not count.
func (g *Registry) fingerprints(text []byte, f func(hash uint64, at int)) {
	var passage [grain]uint64 // the characters of a passage, as a ring
	var hashes [window]uint64
	var places [window]int
	rolling, n, low, kept := uint64(0), 0, 0, -1
	seed := g.key.sum([]byte("passages"))
	for at := 0; at < len(text); {
		c, size := rune(text[at]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(text[at:])
		}
		place := at
		at += size
		if c <= ' ' {
			continue
		}
		slot := n % grain
		rolling = rolling*base + uint64(c) - passage[slot]*power
		passage[slot] = uint64(c)
		if n++; n < grain {
			continue
		}
		i := n - grain
		hashes[i%window], places[i%window] = mix(rolling^seed), place
		switch {
		case i-low >= window: // it has left the window
			low = i - window + 1
			for j := low + 1; j <= i; j++ {
				if hashes[j%window] <= hashes[low%window] {
					low = j
				}
			}
		case hashes[i%window] <= hashes[low%window]:
			low = i
		}
		if i >= window-1 && low != kept {
			kept = low
			f(hashes[low%window], places[low%window])
		}
	}
}

// mix spreads the bits of a hash.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
