# Writes mails as Python's email package makes them, one JSON object a line: the message, and
# the files in it as the package reads them again.
import base64, email, email.policy, hashlib, itertools, json, random, sys
from email import charset as charsets
from email.header import Header
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email import encoders

random.seed(1)
NAMES = [
    "plan.pdf", "Q3 plan; draft \"2\".docx", "見積書_極秘データー２０２６.xlsx", "表示ソ能.txt",
    "令和８年度第３四半期の見積書および顧客名簿（社外秘）の最終版をさらに直したもの.xlsx", "Übersicht größe.xlsx", "a'b%20c.bin", "🎉祝.png",
]


def octets(n):
    return random.randbytes(n)


def emit(what, data, files):
    print(json.dumps({"what": what, "message": base64.b64encode(data).decode(),
                      "files": [{"name": n, "octets": base64.b64encode(p).decode()} for n, p in files]}))


def modern():
    """EmailMessage, under each policy and each transfer encoding."""
    policies = {"smtp": email.policy.SMTP, "smtputf8": email.policy.SMTPUTF8, "long lines": email.policy.SMTP.clone(max_line_length=900)}
    for (word, policy), name in itertools.product(policies.items(), NAMES):
        m = EmailMessage(policy=policy)
        m["From"], m["To"], m["Subject"] = "山田 <yamada@example.co.jp>", "bob@example.test", "見積 " + name
        if word == "smtputf8":
            m.replace_header("From", "山田 <yamada@example.co.jp>")
        m.set_content("本文です。\n.\n..dots\nFrom here\n")
        m.add_alternative("<p>本文です。</p>", subtype="html")
        data = octets(random.randrange(0, 9000))
        m.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
        text = "".join("行 %d = %s \t\r\n" % (i, "あ" * (i % 90)) for i in range(60))
        m.add_attachment(text, subtype="csv", filename="text-" + name, cte="quoted-printable")
        image = octets(500)
        m.get_payload()[0].get_payload()[1].add_related(image, maintype="image", subtype="png", cid="<1@x>", filename="inline-" + name)
        raw = m.as_bytes(policy=policy)
        emit("EmailMessage %s" % word, raw, parts(raw))


def old():
    """The classes of before, with names in each of the forms that they write."""
    for name, how in itertools.product(NAMES, ["tuple", "header", "iso-2022-jp", "type", "shift_jis"]):
        m = MIMEMultipart()
        m["From"], m["To"] = "yamada@example.co.jp", "bob@example.test"
        m["Subject"] = Header("見積", "iso-2022-jp")
        m.attach(MIMEText("本文です。", "plain", "iso-2022-jp"))
        p = MIMEBase("application", "octet-stream")
        data = octets(3000)
        p.set_payload(data)
        encoders.encode_base64(p)
        try:
            if how == "tuple":
                p.add_header("Content-Disposition", "attachment", filename=("utf-8", "ja", name))
            elif how == "header":
                p.add_header("Content-Disposition", "attachment", filename=Header(name, "utf-8").encode())
            elif how == "type":
                p.set_param("name", name, charset="utf-8", language="")
            else:
                name.encode(how)
                p.add_header("Content-Disposition", "attachment", filename=Header(name, how).encode())
        except UnicodeEncodeError:
            continue
        m.attach(p)
        raw = m.as_bytes(policy=email.policy.compat32.clone(linesep="\r\n"))
        emit("MIMEBase %s" % how, raw, [(name, data)])


def nested():
    """Mails within mails."""
    for depth in range(1, 6):
        data = octets(2000)
        m = EmailMessage(policy=email.policy.SMTP)
        m["Subject"] = "inner"
        m.set_content("inner")
        m.add_attachment(data, maintype="application", subtype="pdf", filename="内側%d.pdf" % depth)
        files = [("内側%d.pdf" % depth, data)]
        for i in range(depth):
            out = EmailMessage(policy=email.policy.SMTP)
            out["Subject"] = "outer %d" % i
            out.set_content("see inside")
            out.add_attachment(m)
            beside = octets(100 + i)
            out.add_attachment(beside, maintype="image", subtype="png", filename="横%d.png" % i)
            files.append(("横%d.png" % i, beside))
            m = out
        emit("nested %d" % depth, m.as_bytes(), files)


def single():
    """A mail that is nothing but a file."""
    for name in NAMES:
        m = EmailMessage(policy=email.policy.SMTP)
        m["Subject"] = "scan"
        data = octets(4000)
        m.set_content(data, maintype="application", subtype="pdf", filename=name, disposition="attachment")
        emit("single", m.as_bytes(), [(name, data)])


def parts(raw):
    m = email.message_from_bytes(raw, policy=email.policy.default)
    return [(p.get_filename(), p.get_payload(decode=True)) for p in m.walk() if p.get_filename()]


for generate in (modern, old, nested, single):
    generate()
