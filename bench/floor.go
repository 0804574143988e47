package bench

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"net"
	"os"
)

const (
	floorBuffer = 256 << 10 // octets, one read
	floorRecord = 16 << 10  // octets, what TLS encrypts at a time
)

// Floor serves on listen: it copies between each connection and one to origin,
// and decrypts and encrypts as many octets with AES-128-GCM. It does nothing else
// that a TLS proxy does. It ends with the process.
func Floor(listen, origin string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			to, err := net.Dial("tcp", origin)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			defer to.Close()
			done := make(chan struct{})
			go func() {
				defer close(done)
				copyAndCrypt(to, conn)
			}()
			copyAndCrypt(conn, to)
			<-done
		}()
	}
}

// copyAndCrypt copies until src ends.
func copyAndCrypt(dst, src net.Conn) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err) // the key has the length it must have
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // nor is there another block size
	}
	buffer, sealed := make([]byte, floorBuffer), make([]byte, 0, floorRecord+gcm.Overhead())
	opened, nonce := make([]byte, 0, floorRecord), make([]byte, gcm.NonceSize())
	for {
		n, err := src.Read(buffer)
		for rest := buffer[:n]; len(rest) > 0; {
			record := rest[:min(len(rest), floorRecord)]
			rest = rest[len(record):]
			sealed = gcm.Seal(sealed[:0], nonce, record, nil)
			if _, err := gcm.Open(opened[:0], nonce, sealed, nil); err != nil {
				panic(err) // it was sealed a moment ago
			}
		}
		if n > 0 {
			if _, err := dst.Write(buffer[:n]); err != nil {
				src.Close()
				return
			}
		}
		if err != nil {
			if c, ok := dst.(*net.TCPConn); ok {
				c.CloseWrite()
			}
			return
		}
	}
}
