package adapt

import "testing"

// BenchmarkParse has a request parsed, and nothing else.
func BenchmarkParse(b *testing.B) {
	request := []byte("GET /some/path?and=query HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n")
	b.SetBytes(int64(len(request)))
	b.ReportAllocs()
	for b.Loop() {
		if _, word := ParseRequest(request); word != "" {
			b.Fatal(word)
		}
	}
}
