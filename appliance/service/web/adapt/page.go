package adapt

import (
	"fmt"
	"html"
	"net/http"
)

// Page returns a response of our own with a small page. With last the
// connection ends behind it.
func Page(status int, why string, last bool) (head, body []byte) {
	text := http.StatusText(status)
	body = fmt.Appendf(nil, "<!DOCTYPE html>\n<html><head><title>%d %s</title></head>\n<body><h1>%s</h1><p>%s</p></body></html>\n",
		status, text, text, html.EscapeString(why))
	head = fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nCache-Control: no-store\r\n",
		status, text, len(body))
	if last {
		head = append(head, "Connection: close\r\n"...)
	}
	return append(head, "\r\n"...), body
}

// Explanations on pages.
const (
	WhyRequest  = "The request was refused because it is not well-formed HTTP."
	WhyResponse = "The answer of the server was refused because it is not well-formed HTTP."
	WhyUpgrade  = "The policy of this network does not allow this protocol."
	WhyService  = "The content could not be checked by the security service, and this network does not pass unchecked content."
)
