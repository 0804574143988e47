package clienthello

import (
	"fmt"
	"slices"
)

// Grade is how safe the connection can become that a hello asks for, after "The
// Security Impact of HTTPS Interception" (Durumeric et al., NDSS 2017): A as a
// modern browser's, B with something that is out of date, C open to a known
// attack, F broken.
type Grade byte

const (
	GradeA Grade = 'A'
	GradeB Grade = 'B'
	GradeC Grade = 'C'
	GradeF Grade = 'F'
)

// String returns the letter.
func (g Grade) String() string { return string(g) }

// Grade returns the worse of two grades and what it is for: that of the highest
// version offered, and that of the suites, which is F with a black one among them,
// C with a red one, and else that of the first.
func (h *Hello) Grade() (Grade, string) {
	version, why := gradeVersion(h.MaxVersion())
	suites, because := gradeSuites(h.CipherSuites)
	if suites > version {
		return suites, because
	}
	return version, why
}

func gradeVersion(v uint16) (Grade, string) {
	why := fmt.Sprintf("version %#04x at most", v)
	switch {
	case v >= versionTLS12:
		return GradeA, why
	case v > versionSSL30:
		return GradeB, why
	case v == versionSSL30:
		return GradeC, why
	}
	return GradeF, why
}

func gradeSuites(suites []uint16) (Grade, string) {
	suites = slices.DeleteFunc(slices.Clone(suites), func(s uint16) bool { return slices.Contains(signalling, s) })
	if len(suites) == 0 {
		return GradeF, "no suite"
	}
	for _, class := range []struct {
		grade  Grade
		suites []uint16
	}{{GradeF, blackSuites}, {GradeC, redSuites}} {
		if i := slices.IndexFunc(suites, func(s uint16) bool { return slices.Contains(class.suites, s) }); i >= 0 {
			return class.grade, fmt.Sprintf("suite %#04x", suites[i])
		}
	}
	why := fmt.Sprintf("suite %#04x first", suites[0])
	if Green(suites[0]) {
		return GradeA, why
	}
	return GradeB, why
}

// Green reports whether a suite has forward secrecy by elliptic curves, and
// authenticated encryption by AES-GCM or ChaCha20-Poly1305.
func Green(suite uint16) bool { return slices.Contains(greenSuites, suite) }

// Suites by class (IANA, TLS Cipher Suites); all others are yellow.
var (
	signalling  = []uint16{0x00ff, 0x5600} // no suites: RFC 5746, RFC 7507
	greenSuites = []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9}

	// No encryption, no authentication, export strength, single DES.
	blackSuites = []uint16{
		0x0000, 0x0001, 0x0002, 0x0003, 0x0006, 0x0008, 0x0009, 0x000b, 0x000c, 0x000e, 0x000f, 0x0011, 0x0012, 0x0014, 0x0015,
		0x0017, 0x0018, 0x0019, 0x001a, 0x001b, 0x001e, 0x0022, 0x0026, 0x0027, 0x0028, 0x0029, 0x002a, 0x002b, 0x002c, 0x002d, 0x002e,
		0x0034, 0x003a, 0x003b, 0x0046, 0x006c, 0x006d, 0x0089, 0x009b, 0x00a6, 0x00a7, 0x00b0, 0x00b1, 0x00b4, 0x00b5, 0x00b8, 0x00b9,
		0x00bf, 0x00c5, 0xc001, 0xc006, 0xc00b, 0xc010, 0xc015, 0xc016, 0xc017, 0xc018, 0xc019, 0xc039, 0xc03a, 0xc03b,
	}
	// RC4, 3DES and IDEA (RFC 7465, CVE-2016-2183).
	redSuites = []uint16{
		0x0004, 0x0005, 0x0007, 0x000a, 0x000d, 0x0010, 0x0013, 0x0016, 0x001f, 0x0020, 0x0021, 0x0023, 0x0024, 0x0025,
		0x008a, 0x008b, 0x008e, 0x008f, 0x0092, 0x0093, 0xc002, 0xc003, 0xc007, 0xc008, 0xc00c, 0xc00d, 0xc011, 0xc012,
		0xc01a, 0xc01b, 0xc01c, 0xc033, 0xc034,
	}
)
