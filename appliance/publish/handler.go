package publish

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clearspan/clearspan/certs"
)

//go:embed page.html
var pageText string

//go:embed style.css
var style []byte

//go:embed page.js
var script []byte

var page = template.Must(template.New("page").Parse(pageText))

// policy allows the page its style sheet, its script, and questions of the script to
// ourselves by HTTPS, which tell whether the device trusts the authority.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// baseName is how downloads are called, before the dot.
const baseName = "clearspan-ca"

const listType = "application/pkix-crl" // RFC 5280, Section 4.2.1.13

// Handler serves what material returns, which it calls for each request.
func Handler(material func() Material) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		name, ok := strings.CutPrefix(r.URL.Path, "/")
		if !ok || strings.Contains(name, "/") {
			http.NotFound(w, r)
			return
		}
		file, err := open(name, r.Host, material())
		switch {
		case err != nil:
			http.Error(w, "this file cannot be made now", http.StatusInternalServerError)
		case file == nil:
			http.NotFound(w, r)
		default:
			file.serve(w)
		}
	})
}

// file is an answer.
type file struct {
	kind    string // media type
	content []byte
	anybody bool   // scripts of other origins may read it, such as our own page without TLS
	save    string // name under which a browser saves it; "" to show it
	age     time.Duration
}

// serve writes the whole file. net/http drops the content for HEAD.
func (f *file) serve(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(f.content)))
	if f.anybody {
		h.Set("Access-Control-Allow-Origin", "*")
	}
	if f.save != "" {
		h.Set("Content-Disposition", `attachment; filename="`+f.save+`"`)
	}
	if f.age > 0 {
		h.Set("Cache-Control", "max-age="+strconv.Itoa(int(f.age/time.Second)))
	} else {
		h.Set("Cache-Control", "no-store")
	}
	w.Write(f.content)
}

// open returns nil for a name that is not served. host is what the client calls us.
func open(name, host string, m Material) (*file, error) {
	switch name {
	case "":
		return render(host, m)
	case "page.js":
		return &file{kind: "text/javascript; charset=utf-8", content: script, age: time.Hour}, nil
	case trustFile:
		return &file{kind: "text/plain; charset=utf-8", content: []byte(trustAnswer), anybody: true}, nil
	case "style.css":
		return &file{kind: "text/css; charset=utf-8", content: style, age: time.Hour}, nil
	case baseName + "-2.cer":
		if len(m.Certificates) < 2 {
			return nil, nil
		}
		return export(certs.DER, name, m.Certificates[1:])
	}
	for _, f := range certs.Formats {
		if name == baseName+"."+f.Extension() {
			return export(f, name, m.Certificates)
		}
	}
	for _, l := range m.Lists {
		if name == l.Name() {
			der, err := l.DER()
			return &file{kind: listType, content: der, age: time.Hour}, err
		}
	}
	return nil, nil
}

func export(f certs.Format, name string, list []*x509.Certificate) (*file, error) {
	data, err := certs.Export(f, list)
	return &file{kind: f.MediaType(), content: data, save: name}, err
}

// authority is what the page says of one.
type authority struct {
	Name, Fingerprint, From, To, File string
}

func render(host string, m Material) (*file, error) {
	var data struct {
		Authorities []authority
		Next        string // when the second one signs; "" if it did
		Host        string
		Here        string // address of the page, as the client knows it
		Code        *code  // of Here, for the camera of another device
	}
	data.Host, data.Here = Host, "http://"+host+"/"
	data.Code = newCode(data.Here)
	for i, c := range m.Certificates {
		a := authority{
			Name: c.Subject.String(), Fingerprint: certs.Fingerprint(c), File: baseName + ".cer",
			From: c.NotBefore.UTC().Format(time.DateOnly), To: c.NotAfter.UTC().Format(time.DateOnly),
		}
		if i > 0 {
			a.File = baseName + "-2.cer"
		}
		data.Authorities = append(data.Authorities, a)
	}
	if !m.Next.IsZero() {
		data.Next = m.Next.UTC().Format("2006-01-02 15:04 UTC")
	}
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		return nil, err
	}
	return &file{kind: "text/html; charset=utf-8", content: out.Bytes()}, nil
}
