package rowstest

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// request returns a request with any method.
func request(method, path, host, fields string, body []byte) Step {
	return say(up, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n%s", method, path, host, fields, len(body), body))
}

// answer returns an answer with any status.
func answer(status, fields, body string) Step {
	return say(down, fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, fields, len(body), body))
}

// talk returns a connection.
func talk(steps ...Step) Talk { return Talk{Steps: steps} }

func uploadRows() []Row {
	type b = []byte
	resumed, tus, parts, blocks, ranges := Octets("resumed", 300_000), Octets("tus", 200_000), Octets("s3", 240_000), Octets("azure", 150_000), Octets("ranges", 180_000)

	var google []Talk
	google = append(google, talk(request("POST", "/upload/drive/v3/files?uploadType=resumable", "www.example.test", "Content-Type: application/json\r\nX-Upload-Content-Type: application/pdf\r\n", b(`{"name":"`+japaneseName+`"}`)),
		answer("200 OK", "Location: https://www.example.test/upload/drive/v3/files?uploadType=resumable&upload_id=xa298sd_sdlkj2\r\n", "")))
	for at := 0; at < len(resumed); at += 131072 {
		end := min(at+131072, len(resumed))
		reply := answer("308 Resume Incomplete", fmt.Sprintf("Range: bytes=0-%d\r\n", end-1), "")
		if end == len(resumed) {
			reply = answer("200 OK", "Content-Type: application/json\r\n", `{"id":"1"}`)
		}
		google = append(google, talk(request("PUT", "/upload/drive/v3/files?uploadType=resumable&upload_id=xa298sd_sdlkj2", "www.example.test", fmt.Sprintf("Content-Range: bytes %d-%d/%d\r\n", at, end-1, len(resumed)), resumed[at:end]), reply))
	}

	tusTalk := talk(request("POST", "/files/", "tus.example.test", fmt.Sprintf("Tus-Resumable: 1.0.0\r\nUpload-Length: %d\r\nUpload-Metadata: filename %s,filetype %s\r\n", len(tus), base64.StdEncoding.EncodeToString(b(japaneseName)), base64.StdEncoding.EncodeToString(b("text/plain"))), nil),
		answer("201 Created", "Location: https://tus.example.test/files/24e533e02ec3bc40c387f1a0e460e216\r\nTus-Resumable: 1.0.0\r\n", ""))
	for at := 0; at < len(tus); at += 80_000 {
		end := min(at+80_000, len(tus))
		tusTalk.Steps = append(tusTalk.Steps, request("PATCH", "/files/24e533e02ec3bc40c387f1a0e460e216", "tus.example.test", fmt.Sprintf("Content-Type: application/offset+octet-stream\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: %d\r\n", at), tus[at:end]),
			answer("204 No Content", fmt.Sprintf("Upload-Offset: %d\r\nTus-Resumable: 1.0.0\r\n", end), ""))
	}

	const key = "/bucket/%E8%A6%8B%E7%A9%8D.zip"
	s3 := []Talk{talk(request("POST", key+"?uploads", "s3.example.test", "", nil), answer("200 OK", "Content-Type: application/xml\r\n", "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>見積.zip</Key><UploadId>VXBsb2FkIElE</UploadId></InitiateMultipartUploadResult>"))}
	for _, n := range []int{2, 1, 3} { // the second one comes first
		s3 = append(s3, talk(request("PUT", fmt.Sprintf("%s?partNumber=%d&uploadId=VXBsb2FkIElE", key, n), "s3.example.test", "", parts[(n-1)*80_000:n*80_000]), answer("200 OK", fmt.Sprintf("ETag: \"etag%d\"\r\n", n), "")))
	}
	var complete strings.Builder
	complete.WriteString("<CompleteMultipartUpload>")
	for n := 1; n <= 3; n++ {
		fmt.Fprintf(&complete, "<Part><PartNumber>%d</PartNumber><ETag>\"etag%d\"</ETag></Part>", n, n)
	}
	complete.WriteString("</CompleteMultipartUpload>")
	s3 = append(s3, talk(request("POST", key+"?uploadId=VXBsb2FkIElE", "s3.example.test", "Content-Type: application/xml\r\n", b(complete.String())), answer("200 OK", "Content-Type: application/xml\r\n", "<CompleteMultipartUploadResult/>")))

	id := func(n int) string { return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "block-%06d", n)) }
	var azure Talk
	for _, n := range []int{1, 0, 2} {
		azure.Steps = append(azure.Steps, request("PUT", "/container/plan.vsdx?comp=block&blockid="+percent(id(n)), "blob.example.test", "x-ms-version: 2023-11-03\r\n", blocks[n*50_000:(n+1)*50_000]), answer("201 Created", "", ""))
	}
	azure.Steps = append(azure.Steps, request("PUT", "/container/plan.vsdx?comp=blocklist", "blob.example.test", "Content-Type: application/xml\r\n", b("<?xml version=\"1.0\"?><BlockList><Latest>"+id(0)+"</Latest><Latest>"+id(1)+"</Latest><Uncommitted>"+id(2)+"</Uncommitted></BlockList>")), answer("201 Created", "", ""))

	var fetched []Talk
	for _, n := range []int{0, 2, 1} {
		at, end := n*60_000, (n+1)*60_000
		fetched = append(fetched, talk(say(up, fmt.Sprintf("GET /big.iso HTTP/1.1\r\nHost: dl.example.test\r\nRange: bytes=%d-%d\r\n\r\n", at, end-1)),
			answer("206 Partial Content", fmt.Sprintf("Content-Type: application/octet-stream\r\nETag: \"v1\"\r\nContent-Range: bytes %d-%d/%d\r\n", at, end-1, len(ranges)), string(ranges[at:end]))))
	}
	several := Octets("several ranges", 90_000)
	var parts2 []byte
	for _, at := range []int{60_000, 0, 30_000} {
		parts2 = fmt.Appendf(parts2, "\r\n--THIS\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes %d-%d/%d\r\n\r\n%s", at, at+29_999, len(several), several[at:at+30_000])
	}
	parts2 = append(parts2, "\r\n--THIS--\r\n"...)
	return []Row{
		{Name: "several ranges in one answer", Talks: []Talk{talk(say(up, "GET /pub/some.iso HTTP/1.1\r\nHost: dl.example.test\r\nRange: bytes=60000-,0-29999,30000-59999\r\n\r\n"),
			answer("206 Partial Content", "Content-Type: multipart/byteranges; boundary=THIS\r\nETag: \"v2\"\r\n", string(parts2)))}, Files: []File{{Name: "some.iso", Octets: several, Received: true}}},
		{Name: "resumable upload", Talks: google, Files: []File{{Name: japaneseName, Octets: resumed}}},
		{Name: "tus", Talks: []Talk{tusTalk}, Files: []File{{Name: japaneseName, Octets: tus}}},
		{Name: "s3 multipart", Talks: s3, Files: []File{{Name: "見積.zip", Octets: parts}}},
		{Name: "azure blocks", Talks: []Talk{azure}, Files: []File{{Name: "plan.vsdx", Octets: blocks}}},
		{Name: "ranges", Talks: fetched, Files: []File{{Name: "big.iso", Octets: ranges, Received: true}}},
	}
}
