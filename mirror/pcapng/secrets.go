package pcapng

import (
	"encoding/binary"

	"github.com/clearspan/clearspan/mirror"
)

// Decryption secrets block, draft-ietf-opsawg-pcapng, Section 4.7.
const (
	blockSecrets = 10
	secretsTLS   = 0x544c534b // "TLSK": lines in the NSS key log format
	secretsFixed = 16 + 4     // octets of a block without the secrets
	maxSecrets   = 16 << 10   // octets, the longest text for one block
)

// Secrets writes TLS secrets, lines of the NSS key log format, as a decryption
// secrets block, ahead of the frames that are sent next. Whoever has the file and
// a capture of the encrypted connections can read them. It borrows lines, at most
// 16 KiB, and waits like Send. Errors are those of Send.
func (s *Sink) Secrets(lines []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := error(mirror.ErrTooLong)
	if len(lines) <= maxSecrets {
		_, err = s.reserve(0, secretsFixed+pad(len(lines)))
	}
	if err != nil {
		s.stats.SecretsLost++
		if s.stats.SecretsLost == 1 {
			s.log.Warn("TLS secrets lost", "reason", mirror.LossReason(err))
		}
		return err
	}
	s.current.blocks = appendSecrets(s.current.blocks, lines)
	return nil
}

func appendSecrets(dst, lines []byte) []byte {
	le := binary.LittleEndian
	size := uint32(secretsFixed + pad(len(lines)))
	dst = le.AppendUint32(dst, blockSecrets)
	dst = le.AppendUint32(dst, size)
	dst = le.AppendUint32(dst, secretsTLS)
	dst = le.AppendUint32(dst, uint32(len(lines)))
	dst = append(dst, lines...)
	dst = appendPadding(dst, len(lines))
	return le.AppendUint32(dst, size)
}
