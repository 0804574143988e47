package dissect_test

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1/http1test"
)

const get = "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"

func TestHTTP1(t *testing.T) {
	run(t, []row{
		{"length", `request 1 POST /u h type=a/b
			end 1 > complete 3 "abc"
			answer 1 200 type=text/html
			end 1 < complete 5 "hello"
			stop ended`, []step{
			up("POST /u HTTP/1.1\r\nHost: h:80\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc"),
			down("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello")}},
		{"chunks", `request 1 POST /u h
			end 1 > complete 3 "abc"
			answer 1 200
			end 1 < complete 5 "hello"
			stop ended`, []step{
			up("POST /u HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x\r\nbc\r\n0\r\n\r\n"),
			down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n")}},
		{"to the end", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 5 "hello"
			stop ended`, []step{up(get), down("HTTP/1.0 200 OK\r\n\r\nhello"), downEnd()}},
		{"reset before the end", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < cut 5 "hello"
			stop ended`, []step{up(get), down("HTTP/1.0 200 OK\r\n\r\nhello")}},
		{"end before the length", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < cut 2 "he"
			stop ended`, []step{up(get), down("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"), downEnd()}},
		{"no answer", `request 1 GET /a?b h
			end 1 > complete 0
			end 1 < cut 0
			stop ended`, []step{up(get), upEnd()}},
		{"interim answers", `request 1 PUT /u h
			answer 1 201
			end 1 < complete 0
			end 1 > complete 3 "abc"
			stop ended`, []step{
			up("PUT /u HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"), down("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"),
			down("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"), up("abc")}},
		{"pipelined", `request 1 HEAD /1 h
			end 1 > complete 0
			request 2 GET /2 h
			end 2 > complete 0
			request 3 GET /3 h
			end 3 > complete 0
			answer 1 200
			end 1 < complete 0
			answer 2 204
			end 2 < complete 0
			answer 3 304
			end 3 < complete 0
			stop ended`, []step{
			up("HEAD /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n"),
			down("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 1\r\n\r\n")}},
		{"CONNECT", `request 1 CONNECT  h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 0
			stop encrypted`, []step{up("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"), down("HTTP/1.1 200 OK\r\n\r\n"), up("\x16\x03")}},
		{"CONNECT refused", `request 1 CONNECT  h
			end 1 > complete 0
			answer 1 407
			end 1 < complete 2 "no"
			stop ended`, []step{up("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"), down("HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno")}},
		{"upgrade", `request 1 GET /ws h
			end 1 > complete 0
			answer 1 101
			end 1 < complete 0
			stop upgraded`, []step{up("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n"), down("HTTP/1.1 101 Switching\r\n\r\n"), up(get)}},
		{"broken chunks", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < unread 0
			stop broken`, []step{up(get), down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz"), up(get)}},
		{"answer to nothing", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 204
			end 1 < complete 0
			request 2
			end 2 > lost 0
			answer 2 408
			end 2 < complete 0
			stop ended`, []step{up(get), down("HTTP/1.1 204 No\r\n\r\nHTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")}},
		{"behind many empty lines", `request 1 GET /a?b h
			end 1 > complete 0
			end 1 < cut 0
			stop ended`, []step{up(strings.Repeat("\r\n", 1000) + get)}},
		{"another protocol", `stop unknown`, []step{up("SSH-2.0-x\r\n"), down("SSH-2.0-y\r\n"), up(get)}},
		{"nothing", `stop ended`, nil},
		{"an endless head", `stop bound`, []step{up("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 1<<17))}},
	})
}

// TestHosts: an event has the host that the policy gets, and says so if there is
// doubt.
func TestHosts(t *testing.T) {
	for _, tt := range http1test.Hosts {
		t.Run(tt.Name, func(t *testing.T) {
			var got *dissect.Host
			d := dissect.New(sinkFunc(func(e dissect.Event) {
				if r, ok := e.(*dissect.Request); ok && r.Number == 2 {
					h := r.Host
					got = &h
				}
			}), nil)
			d.Data(proto.ClientToOrigin, []byte(get+tt.Head))
			if got == nil {
				t.Fatal("no request")
			}
			if string(got.Name) != tt.Host || string(got.Port) != tt.Port || got.Doubt != tt.Doubt {
				t.Errorf("host %q, port %q, %v; want %q, %q, %v", got.Name, got.Port, got.Doubt, tt.Host, tt.Port, tt.Doubt)
			}
		})
	}
}

// sinkFunc is a function that is a sink.
type sinkFunc func(dissect.Event)

func (f sinkFunc) Event(e dissect.Event) { f(e) }

func TestHTTP1Gaps(t *testing.T) {
	const long = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01"
	begin := []step{up(get)}
	run(t, []row{
		{"in a length", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 10-5 "01?????789"
			request 2 GET /a?b h
			end 2 > complete 0
			answer 2 204
			end 2 < complete 0
			stop ended`, append(begin, down(long), downLost(5), down("789"), up(get), down("HTTP/1.1 204 No\r\n\r\n"))},
		{"to the end of a length", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 10-8 "01????????"
			request 2 GET /a?b h
			end 2 > complete 0
			answer 2 204
			end 2 < complete 0
			stop ended`, append(begin, down(long), downLost(8), up(get), down("HTTP/1.1 204 No\r\n\r\n"))},
		{"beyond a length", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 10-8 "01????????"
			request 2
			end 2 > lost 0
			answer 2 204
			end 2 < complete 0
			stop gap`, append(begin, down(long), downLost(9), down("HTTP/1.1 204 No\r\n\r\n"))},
		{"in content up to the end", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 4-2 "a??b"
			stop ended`, append(begin, down("HTTP/1.0 200 OK\r\n\r\na"), downLost(2), down("b"), downEnd())},
		{"in a chunk", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 5-3 "h???o"
			stop ended`, append(begin, down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"), downLost(3), down("o\r\n0\r\n\r\n"))},
		{"beyond a chunk", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 5-4 "h????"
			stop ended`, append(begin, down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"), downLost(5), down("0\r\n\r\n"))},
		{"in the framing of chunks", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 200
			end 1 < lost 5 "hello"
			stop ended`, append(begin, down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r"), downLost(1), down("hello\r\n0\r\n\r\n"))},
		{"in an upload", `request 1 PUT /u h
			end 1 > complete 4-2 "a??d"
			answer 1 204
			end 1 < complete 0
			stop ended`, []step{up("PUT /u HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\na"), upLost(2), up("d"), down("HTTP/1.1 204 No\r\n\r\n")}},
		{"in a head", `request 1 GET /a?b h
			end 1 > complete 0
			end 1 < lost 0
			stop gap`, append(begin, up("GET /"), upLost(4), up(" HTTP/1.1\r\n\r\n"))},
		{"between messages", `request 1 GET /a?b h
			end 1 > complete 0
			end 1 < lost 0
			request 2
			end 2 > lost 0
			answer 2 204
			end 2 < complete 0
			stop gap`, append(begin, downLost(1), down("HTTP/1.1 204 No\r\n\r\n"))},
		{"before the protocol is known", `request 1 GET /a?b h
			end 1 > complete 0
			end 1 < cut 0
			stop gap`, []step{upLost(1), up(get)}},
	})
}
