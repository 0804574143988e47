package upstream

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxAnswer bounds the head of a proxy's answer to CONNECT, in octets.
const maxAnswer = 64 << 10

// connect asks an HTTP proxy for the target on conn.
func (p *Proxy) connect(ctx context.Context, conn net.Conn, to Target) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	r := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	if err := p.ask(conn, r, to.host()); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	if !stop() {
		return nil, ctx.Err()
	}
	ahead, _ := r.Peek(r.Buffered())
	return &tunnel{Conn: conn, prefix: append([]byte(nil), ahead...), remote: net.TCPAddrFromAddrPort(to.Addr)}, nil
}

// ask sends the request and reads the answer. What the origin said behind it stays in r.
func (p *Proxy) ask(w io.Writer, r *bufio.Reader, host string) error {
	request := "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n"
	if p.user != "" {
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.password)) + "\r\n"
	}
	if _, err := io.WriteString(w, request+"\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return fmt.Errorf("read the proxy's answer: %w", err)
	}
	if answer.StatusCode/100 != 2 { // RFC 9110, Section 9.3.6
		return fmt.Errorf("the proxy answers %q for %s", answer.Status, host)
	}
	return nil
}
