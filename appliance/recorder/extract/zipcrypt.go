package extract

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

const (
	methodAES    = 99
	maxEncrypted = 64 << 20 // octets of a member that is decrypted, as it is stored
	maxTries     = 5000     // of passwords, for all that is in a file: each takes a millisecond
)

var errPassword = errors.New("no password opens it")

// unlock returns the octets of an encrypted member, by the first password that opens it. The
// one that has opened another member is tried first. Whether it is right is certain: by the
// CRC-32 of what comes out, or the HMAC of what is stored.
func (f *found) unlock(m *zip.File) ([]byte, error) {
	if len(f.hint.Passwords) == 0 || m.CompressedSize64 > maxEncrypted {
		return nil, errPassword
	}
	r, err := m.OpenRaw()
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxEncrypted))
	if err != nil {
		return nil, err
	}
	for i, password := range f.hint.Passwords {
		if f.ctx.Err() != nil {
			return nil, f.ctx.Err()
		}
		if f.tries++; f.tries > maxTries {
			f.h.Note(f.place, Bounded, "")
			break
		}
		plain, method, ok := decrypt(m, raw, password)
		if !ok {
			continue
		}
		p, err := f.unpacked(plain, method)
		if errors.Is(err, errLimit) {
			return nil, err
		}
		if err != nil || m.Method != methodAES && crc32.ChecksumIEEE(p) != m.CRC32 {
			continue
		}
		list := f.hint.Passwords
		list[0], list[i] = list[i], list[0]
		return p, nil
	}
	return nil, errPassword
}

// unpacked undoes the compression of a member.
func (f *found) unpacked(plain []byte, method uint16) ([]byte, error) {
	switch method {
	case zip.Store:
		return plain, nil
	case zip.Deflate:
		return io.ReadAll(io.LimitReader(f.counted(flate.NewReader(bytes.NewReader(plain))), maxMember))
	}
	return nil, zip.ErrAlgorithm
}

// decrypt decrypts a member, and returns its method of compression; false: the password is
// wrong.
func decrypt(m *zip.File, raw []byte, password string) (plain []byte, method uint16, ok bool) {
	if m.Method == methodAES {
		return decryptAES(m, raw, password)
	}
	const header = 12
	if len(raw) < header {
		return nil, 0, false
	}
	k := newKeys(password)
	var last byte
	for _, c := range raw[:header] {
		last = k.decrypt(c)
	}
	check := byte(m.CRC32 >> 24)
	if m.Flags&8 != 0 { // the CRC was not known yet (APPNOTE 6.3.10, Section 6.1.6)
		check = byte(m.ModifiedTime >> 8)
	}
	if last != check && last != byte(m.CRC32>>24) {
		return nil, 0, false
	}
	plain = make([]byte, len(raw)-header)
	for i, c := range raw[header:] {
		plain[i] = k.decrypt(c)
	}
	return plain, m.Method, true
}

// keys are the state of the traditional encryption (APPNOTE 6.3.10, Section 6.1).
type keys [3]uint32

func newKeys(password string) *keys {
	k := &keys{0x12345678, 0x23456789, 0x34567890}
	for i := range len(password) {
		k.update(password[i])
	}
	return k
}

func (k *keys) update(c byte) {
	k[0] = crc(k[0], c)
	k[1] = (k[1]+k[0]&0xff)*134775813 + 1
	k[2] = crc(k[2], byte(k[1]>>24))
}

func crc(v uint32, c byte) uint32 { return crc32.IEEETable[byte(v)^c] ^ v>>8 }

func (k *keys) decrypt(c byte) byte {
	v := k[2] | 2
	c ^= byte(v * (v ^ 1) >> 8)
	k.update(c)
	return c
}

// decryptAES decrypts what WinZip encrypts ("AES Encryption Information", version 1.04).
func decryptAES(m *zip.File, raw []byte, password string) (plain []byte, method uint16, ok bool) {
	const verifier, code, rounds = 2, 10, 1000
	extra := field(m.Extra, 0x9901)
	if len(extra) < 7 || extra[4] < 1 || extra[4] > 3 {
		return nil, 0, false
	}
	size := 8 + 8*int(extra[4]) // of the key; the salt has the half
	method = binary.LittleEndian.Uint16(extra[5:])
	if len(raw) < size/2+verifier+code {
		return nil, 0, false
	}
	derived, err := pbkdf2.Key(sha1.New, password, raw[:size/2], rounds, 2*size+verifier)
	if err != nil || subtle.ConstantTimeCompare(derived[2*size:], raw[size/2:size/2+verifier]) == 0 {
		return nil, 0, false
	}
	sealed, sum := raw[size/2+verifier:len(raw)-code], raw[len(raw)-code:]
	h := hmac.New(sha1.New, derived[size:2*size])
	h.Write(sealed)
	if !hmac.Equal(h.Sum(nil)[:code], sum) {
		return nil, 0, false
	}
	block, err := aes.NewCipher(derived[:size])
	if err != nil {
		return nil, 0, false
	}
	return littleCounter(block, sealed), method, true
}

// littleCounter is counter mode with a counter of little endian that begins at 1.
func littleCounter(b cipher.Block, in []byte) []byte {
	out := make([]byte, len(in))
	var counter, stream [aes.BlockSize]byte
	for i := 0; i < len(in); i += aes.BlockSize {
		binary.LittleEndian.PutUint64(counter[:], uint64(i/aes.BlockSize)+1)
		b.Encrypt(stream[:], counter[:])
		subtle.XORBytes(out[i:], in[i:], stream[:])
	}
	return out
}

// field returns an extra field of a member (APPNOTE 6.3.10, Section 4.5).
func field(extra []byte, id uint16) []byte {
	for len(extra) >= 4 {
		n := int(binary.LittleEndian.Uint16(extra[2:]))
		if n > len(extra)-4 {
			return nil
		}
		if binary.LittleEndian.Uint16(extra) == id {
			return extra[4 : 4+n]
		}
		extra = extra[4+n:]
	}
	return nil
}
