package mail

import (
	"fmt"
	"io"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
)

// client is the end that sends commands and content, and gets replies. Its input
// belongs to the goroutine that reads commands. The rest is safe for concurrent use.
type client struct {
	*input
	end     decrypt.End
	writing sync.Mutex
}

// say writes to the client.
func (c *client) say(p []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.end.Write(p)
	return err
}

// write writes to the client. The caller has locked writing.
func (c *client) write(p []byte) error {
	_, err := c.end.Write(p)
	return err
}

// answer says a reply of our own.
func (c *client) answer(code int, format string, args ...any) error {
	return c.say(fmt.Appendf(nil, "%d %s\r\n", code, fmt.Sprintf(format, args...)))
}

// copy writes all of r to the client.
func (c *client) copy(r io.Reader) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := io.Copy(c.end, r)
	return err
}
