package join

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// exchange plays a request and its answer.
func exchange(t *Table, at time.Time, method, target string, fields map[string]string, sent *Contents, status int, answer map[string]string, received *Contents) []Joined {
	get := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	p := Request(method, "h", target, get(fields))
	p = Answer(p, method, "h", target, status, get(answer))
	return t.End(p, at, sent, received)
}

var start = time.Unix(1_800_000_000, 0)

func show(list []Joined) string {
	var b strings.Builder
	for _, j := range list {
		fmt.Fprintf(&b, "%q %d %v:", j.Name, j.Size, j.Complete)
		for _, p := range j.Pieces {
			fmt.Fprintf(&b, " %v@%d+%d", p.Handle, p.At, p.Size)
		}
	}
	return b.String()
}

func expect(t *testing.T, got []Joined, want string) {
	t.Helper()
	if s := show(got); s != want {
		t.Errorf("%s\nwant %s", s, want)
	}
}

func part(handle string, size uint64) *Contents { return &Contents{Handle: handle, Size: size} }

// TestRanged: parts that overlap, come twice, out of order, and without a total.
func TestRanged(t *testing.T) {
	var x Table
	put := func(fields string, c *Contents) []Joined {
		return exchange(&x, start, "PUT", "/up/a%20b.bin", map[string]string{"content-range": fields}, c, 200, nil, nil)
	}
	expect(t, put("bytes 50-99/200", part("b", 50)), "")
	expect(t, put("bytes 0-59/*", part("a", 60)), "")
	expect(t, put("bytes 100-199/200", part("c", 100)), `"a b.bin" 200 true: b@50+50 a@0+60 c@100+100`)
	expect(t, put("bytes 5-4/2", part("x", 1)), "")
	expect(t, put("bytes */200", nil), "")
	expect(t, put("bytes 0-199/200", part("w", 200)), `"a b.bin" 200 true: w@0+200`)
	if len(x.files) != 0 || x.held != 0 || x.order.Len() != 0 {
		t.Errorf("%d files, %d parts are left", len(x.files), x.held)
	}
}

// TestFetched: parts of another version of the file are another file.
func TestFetched(t *testing.T) {
	var x Table
	get := func(field, tag string, c *Contents) []Joined {
		return exchange(&x, start, "GET", "/v.mp4", nil, nil, 206, map[string]string{"content-range": field, "etag": tag}, c)
	}
	expect(t, get("bytes 0-9/20", "1", part("a", 10)), "")
	expect(t, get("bytes 10-19/20", "2", part("b", 10)), "")
	expect(t, get("bytes 10-19/20", "1", part("c", 10)), `"" 20 true: a@0+10 c@10+10`)
	expect(t, x.Quiet(start.Add(time.Minute)), "")
	expect(t, x.Quiet(start.Add(2*time.Hour)), `"" 20 false: b@10+10`)
}

// TestListed: the list gives the order. A part that was sent again counts once, one that is
// not there leaves the file incomplete, and an upload that is given up is gone.
func TestListed(t *testing.T) {
	var x Table
	s3 := func(method, query string, c *Contents) []Joined {
		return exchange(&x, start, method, "/b/k.zip?"+query, nil, c, 200, nil, nil)
	}
	list := func(n ...int) *Contents {
		var b strings.Builder
		for _, i := range n {
			fmt.Fprintf(&b, "<Part><ETag>x</ETag><PartNumber> %d </PartNumber></Part>", i)
		}
		return &Contents{Text: []byte("<CompleteMultipartUpload>" + b.String() + "</CompleteMultipartUpload>")}
	}
	s3("PUT", "partNumber=10&uploadId=u", part("j", 5))
	s3("PUT", "uploadId=u&partNumber=2", part("b", 7))
	s3("PUT", "uploadId=u&partNumber=2", part("B", 8))
	expect(t, s3("POST", "uploadId=u", list(2, 10)), `"k.zip" 13 true: B@0+8 j@8+5`)
	s3("PUT", "uploadId=v&partNumber=2", part("b", 7))
	s3("PUT", "uploadId=v&partNumber=10", part("j", 7))
	s3("PUT", "uploadId=w&partNumber=1", part("a", 7))
	s3("DELETE", "uploadId=w", nil)
	expect(t, s3("POST", "uploadId=v", list(1, 2)), `"k.zip" 7 false: b@0+7`)
	s3("PUT", "uploadId=x&partNumber=10", part("j", 7))
	s3("PUT", "uploadId=x&partNumber=9", part("i", 7))
	expect(t, x.Close(), `"k.zip" 14 false: i@0+7 j@7+7`)
}

// TestAnnounced: the name and the size stand in the request in front.
func TestAnnounced(t *testing.T) {
	var x Table
	exchange(&x, start, "POST", "/me/drive/root:/Plans/%E8%A6%8B.docx:/createUploadSession", map[string]string{"content-type": "application/json"}, nil, 200, nil,
		&Contents{Text: []byte(`{"uploadUrl":"https://h/rup/4?x=1","expirationDateTime":"z"}`)})
	expect(t, exchange(&x, start, "PUT", "/rup/4?x=1", map[string]string{"content-range": "bytes 0-4/5"}, part("a", 5), 201, nil, nil), `"見.docx" 5 true: a@0+5`)
	exchange(&x, start, "POST", "/files", map[string]string{"upload-length": "9"}, nil, 201, map[string]string{"location": "/files/1"}, nil)
	patch := func(at string, c *Contents) []Joined {
		return exchange(&x, start, "PATCH", "/files/1", map[string]string{"upload-offset": at}, c, 204, nil, nil)
	}
	expect(t, patch("0", part("a", 4)), "")
	expect(t, patch("4", part("b", 5)), `"" 9 true: a@0+4 b@4+5`)
	google := func(command, at string, c *Contents) []Joined {
		return exchange(&x, start, "POST", "/g/1", map[string]string{"x-goog-upload-command": command, "x-goog-upload-offset": at}, c, 200, nil, nil)
	}
	expect(t, google("upload", "0", part("a", 4)), "")
	expect(t, google("upload, finalize", "4", part("b", 4)), `"" 8 true: a@0+4 b@4+4`)
	azure := func(query string, c *Contents) []Joined {
		return exchange(&x, start, "PATCH", "/fs/d/x.bin?"+query, nil, c, 202, nil, nil)
	}
	expect(t, azure("action=append&position=0", part("a", 4)), "")
	expect(t, azure("action=append&position=4", part("b", 4)), "")
	expect(t, azure("action=flush&position=8", nil), `"x.bin" 8 true: a@0+4 b@4+4`)
}

// TestBounds: too many files and parts are told early, and never kept.
func TestBounds(t *testing.T) {
	var x Table
	told := 0
	for i := range 2*maxFiles + 5 {
		exchange(&x, start, "PUT", fmt.Sprintf("/%d", i), map[string]string{"content-range": "bytes 0-0/2"}, part("a", 1), 200, nil, nil)
		exchange(&x, start, "POST", fmt.Sprintf("/%d", i), map[string]string{"upload-length": "3"}, nil, 201, map[string]string{"location": fmt.Sprintf("/x%d", i)}, nil)
		told += len(x.Quiet(start))
	}
	if len(x.files) != maxFiles || told != maxFiles+5 || len(x.named) > maxNamed || len(x.names) > maxNamed {
		t.Errorf("%d files, %d told, %d announced", len(x.files), told, len(x.named))
	}
	x.Close()
	for i := range maxParts + 5 {
		exchange(&x, start, "PUT", "/k?uploadId=1&partNumber="+fmt.Sprint(i), nil, part("a", 1), 200, nil, nil)
	}
	if x.held != maxParts || len(x.Close()) != 1 || x.held != 0 {
		t.Errorf("%d parts", x.held)
	}
}

// FuzzTable: whatever heads say, the table does not fail, and forgets what it has told.
func FuzzTable(f *testing.F) {
	f.Add("PUT", "/a?uploadId=1&partNumber=2", "bytes 0-4/5", "0", "<Part><PartNumber>2</PartNumber></Part>", 200)
	f.Add("GET", "/a", "bytes 0-4/18446744073709551615", "", "", 206)
	f.Add("POST", "/a?uploadId=1", "bytes=1-2/*", "9223372036854775807", `{"uploadUrl":"/b","name":{"name":1}}`, 201)
	f.Add("PATCH", "/a?action=flush&position=-1", "", "1", "", 200)
	f.Fuzz(func(t *testing.T, method, target, contentRange, offset, text string, status int) {
		var x Table
		fields := map[string]string{"content-range": contentRange, "upload-offset": offset, "x-goog-upload-command": text, "content-type": "json", "location": target, "upload-metadata": text}
		for i := range 3 {
			exchange(&x, start, method, target, fields, &Contents{Handle: i, Size: uint64(len(text)), Text: []byte(text)}, status, fields, &Contents{Handle: i, Size: 1, Text: []byte(text)})
		}
		x.Close()
		if x.held != 0 || len(x.files) != 0 {
			t.Fatalf("%d parts of %d files are left", x.held, len(x.files))
		}
	})
}
