#!/usr/bin/env python3
"""Documents of each kind go through src/document and are read again by readers that are not ours: zipfile and ElementTree,
gettext's msgfmt, html.parser, and markdown-it-py where it is there. usage: documents_compare.py DRIVER (documents_driver.c)

Each file is written once with its own texts, which has to give the same bytes, and once in capitals: all its text has to be
in capitals then, and everything else as it was."""
import html.parser
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
import zipfile

driver = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp())
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def check(good, what):
    if not good:
        sys.exit(f"FAIL: {what}")


def through(name, data, *more):
    """The texts, and the file in capitals; its own texts give the same bytes unless translations are filled in. more:
    "attributes", for alternative texts too."""
    path = folder / name
    path.write_bytes(data)
    outs = {}
    for mode in ("same", "loud"):
        done = subprocess.run([driver, path, folder / f"{mode}-{name}", mode, *more], capture_output=True, text=True)
        check(done.returncode == 0, f"{name}: {done.stderr}")
        outs[mode] = (folder / f"{mode}-{name}").read_bytes()
    if not name.endswith((".po", ".xlf", ".xliff")):
        check(outs["same"] == data, f"{name} does not come out as it was")
    return json.loads(done.stdout), outs["loud"]


def refused(name, data, says):
    (folder / name).write_bytes(data)
    done = subprocess.run([driver, folder / name, folder / "none", "same"], capture_output=True, text=True)
    check(done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1,
          f"{name}: {done.returncode} {done.stderr!r} does not say {says!r}")


def pack(members, stored=()):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, (2020, 1, 2, 3, 4, 6))
            z.writestr(info, content, zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED)
    return data.getvalue()


def unpack(data):
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        check(z.testzip() is None, "a member is damaged")
        return {i.filename: z.read(i) for i in z.infolist()}, z.infolist()


def docx(body, **more):
    members = {"[Content_Types].xml": TYPES, "word/document.xml":
               f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<w:document xmlns:w="{W}" xmlns:r="urn:r">'
               f'<w:body>{body}</w:body></w:document>', "word/media/image1.png": bytes(range(256)) * 4}
    members.update(more)
    return pack(members, {"word/media/image1.png"})


def styled(root):
    """Of a Word document: for each paragraph (text, style) of its runs, those alike joined, and what is between."""
    out = []
    for p in root.iter(f"{{{W}}}p"):
        runs = []
        for r in p.iter():
            tag = r.tag.split("}")[1]
            if tag == "r":
                style = r.find(f"{{{W}}}rPr")
                style = "" if style is None else "".join(x.tag.split("}")[1] for x in style)
                for x in r:
                    name = x.tag.split("}")[1]
                    if name == "t" and runs and runs[-1][1] == style and runs[-1][0] == "t":
                        runs[-1][2] += x.text or ""
                    elif name == "t":
                        runs.append(["t", style, x.text or ""])
                    elif name != "rPr":
                        runs.append([name, style, x.get(f"{{{W}}}fldCharType", "")])
            elif tag in ("hyperlink", "bookmarkStart", "sdtContent", "ins"):
                runs.append([tag, "", ""])
        out.append(runs)
    return out


def test_docx():
    run = lambda text, style="": f'<w:r w:rsidR="1">{style}<w:t xml:space="preserve">{text}</w:t></w:r>'
    bold, link = "<w:rPr><w:b/></w:rPr>", '<w:rPr><w:rStyle w:val="Link"/></w:rPr>'
    field = lambda kind: f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'
    body = (
        '<w:p><w:pPr><w:jc w:val="center"/></w:pPr>' + run("The ") + run("red", bold) + run(" car &amp; ") +
        '<w:proofErr w:type="spellStart"/>' + run("dri") + run("ver") + "</w:p>"
        '<w:p><w:bookmarkStart w:id="0" w:name="b"/>' + run("See ") + '<w:hyperlink r:id="rId1">' + run("the page", link) +
        "</w:hyperlink>" + run(" now") + '<w:r><w:tab/></w:r>' + run("Twice") + '<w:bookmarkEnd w:id="0"/></w:p>'
        "<w:p>" + run("Page ") + field("begin") + '<w:r><w:instrText>PAGE</w:instrText></w:r>' + field("separate") +
        run("3") + field("end") + run(" of it") + field("begin") + '<w:r><w:instrText>X</w:instrText></w:r>' + field("end") + "</w:p>"
        "<w:p>" + field("begin") + run("open field") + "</w:p>"
        "<w:tbl><w:tr><w:tc><w:p>" + run("A cell") + "</w:p></w:tc><w:tc><w:p>" + run("42") + "</w:p></w:tc></w:tr></w:tbl>"
        '<w:sdt><w:sdtPr/><w:sdtContent><w:p>' + run("In a box ") + '<w:sdt><w:sdtPr><w:id w:val="7"/></w:sdtPr><w:sdtContent>' +
        run("with control", bold) + "</w:sdtContent></w:sdt>" + run(" end") + "</w:p></w:sdtContent></w:sdt>"
        '<w:p>' + run("Around ") + "<w:r><w:pict><w:txbxContent><w:p>" + run("inner text") +
        "</w:p></w:txbxContent></w:pict></w:r>" + run("it") + "</w:p>"
        "<w:p>\n  " + run("Pretty") + "\n  <w:ins>" + run(" inserted", bold) + "</w:ins>\n</w:p><w:p/>")
    data = docx(body, **{"word/footnotes.xml": f'<n:footnotes xmlns:n="{W}"><n:footnote><n:p><n:r><n:t>A note</n:t></n:r>'
                         "<n:r><n:rPr><n:i/></n:rPr><n:t> here</n:t></n:r></n:p></n:footnote></n:footnotes>"})
    texts, loud = through("a.docx", data)
    check(texts[0] == "The <x0>red</x0> car &amp; driver", texts)
    check(texts[1] == "<img x0>See <x1><x2>the page</x2></x1> now<br x3>Twice<img x4>", texts)
    check("A cell" in texts and "42" not in texts and "inner text" in texts and "open field" not in texts, texts)
    before, order = unpack(data)
    after, order_after = unpack(loud)
    check([i.filename for i in order] == [i.filename for i in order_after], "members change places")
    check(after["word/media/image1.png"] == before["word/media/image1.png"], "a picture changes")
    for name in ("word/document.xml", "word/footnotes.xml"):
        old, new = styled(ET.fromstring(before[name])), styled(ET.fromstring(after[name]))
        for a, b in zip(old, new, strict=True):
            still = any(x[2] == "open field" for x in a)
            want = [[k, s, t if k != "t" or still else t.upper()] for k, s, t in a]
            check(b == want, f"{name}: {b} is not {want}")
    refused("cut.docx", data[:-40], "zip")
    refused("named.docx", b"hello", "it is no DOCX file")
    refused("empty.docx", pack({"a": "b"}), "no member word/document.xml")
    refused("entity.docx", pack({"word/document.xml":
            '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><a>&z;</a>'}), "entities of its own")
    refused("damaged.docx", pack({"word/document.xml": "<a><b></a>"}), "line 1 of word/document.xml: it is damaged XML")
    refused("out.docx", pack({"word/document.xml": "<a/>", "../evil": "x"}), "leads out of the archive")
    refused("bomb.docx", pack({"word/document.xml": "<a>" + " " * (1 << 25) + "</a>"}), "larger than such a file can be")
    refused("deep.docx", pack({"word/document.xml": "<a>" * 100000}), "nest too deep")
    refused("coded.docx", pack({"word/document.xml": '<?xml version="1.0" encoding="latin1"?><a>\xe9</a>'.encode("latin1")}), "not UTF-8")


def test_odt():
    T, O = "urn:oasis:names:tc:opendocument:xmlns:text:1.0", "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    content = (f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document-content xmlns:office="{O}" xmlns:text="{T}" xmlns:xlink="urn:x">'
               "<office:body><office:text><text:h text:outline-level=\"1\">Title</text:h>"
               '<text:p text:style-name="P1">One <text:span text:style-name="T1">bold</text:span> &amp; <text:a xlink:href="u">link</text:a>'
               '.<text:note text:id="n"><text:note-citation>1</text:note-citation><text:note-body><text:p>A note</text:p></text:note-body>'
               "</text:note> Two<text:line-break/>three<text:s/><!-- kept -->end</text:p><text:list><text:list-item><text:p>Item</text:p>"
               "</text:list-item></text:list></office:text></office:body></office:document-content>")
    data = pack({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content, "META-INF/manifest.xml": "<a/>"}, {"mimetype"})
    texts, loud = through("a.odt", data)
    check(texts == ["Title", "One <x0>bold</x0> &amp; <x1>link</x1>.<img x2> Two<br x3>three<img x4><img x5>end", "A note", "Item"], texts)
    after, order = unpack(loud)
    check(order[0].filename == "mimetype" and order[0].compress_type == 0, "mimetype is not first and stored")
    want = content
    for word in ("Title", "One ", "bold", ">link", "A note", " Two", "three", ">end", "Item"):
        want = want.replace(word, word.upper())
    check(after["content.xml"].decode() == want, after["content.xml"].decode())
    through("same", data)


def test_pictures():
    """What people read of pictures is translated when it is asked for, in a paragraph with words and in one without."""
    drawing = ('<w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"><wp:docPr '
               "id='1' name=\"Picture 1\" descr = 'A \"red\" car &amp; a dog' title=\"Cars\"/></wp:inline></w:drawing></w:r>")
    data = docx(f"<w:p>{drawing}</w:p><w:p><w:r><w:t>See</w:t></w:r>{drawing}</w:p>")
    check(through("p.docx", data)[0] == ["See<img x0>"], "pictures are read unasked")
    texts, loud = through("p.docx", data, "attributes")
    check(texts == ['A "red" car &amp; a dog', "Cars", "See<img x0>", 'A "red" car &amp; a dog', "Cars"], texts)
    pictures = [e.attrib for e in ET.fromstring(unpack(loud)[0]["word/document.xml"]).iter() if e.tag.endswith("}docPr")]
    check(pictures == [{"id": "1", "name": "Picture 1", "descr": 'A "RED" CAR & A DOG', "title": "CARS"}] * 2, pictures)
    T, S = "urn:oasis:names:tc:opendocument:xmlns:text:1.0", "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
    content = (f'<o xmlns:text="{T}" xmlns:svg="{S}" xmlns:draw="urn:d"><text:p>See <draw:frame><draw:image/><svg:title>Cars</svg:title>'
               "<svg:desc>A car &amp; a dog</svg:desc></draw:frame> it</text:p></o>")
    data = pack({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content}, {"mimetype"})
    check(through("p.odt", data)[0] == ["See <img x0> it"], "pictures are read unasked")
    texts, loud = through("p.odt", data, "attributes")
    check(texts == ["See <img x0> it", "Cars", "A car &amp; a dog"], texts)
    want = content
    for word in ("See", "Cars", "A car", "a dog", " it<"):
        want = want.replace(word, word.upper())
    check(unpack(loud)[0]["content.xml"].decode() == want, loud)


def test_epub():
    page = ('<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Book</title>'
            '<script src="x"/></head><body><p>One <a id="p1"/><b>bold</b>&#160;text<br/>more</p></body></html>')
    ncx = ('<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><docTitle><text>Book</text></docTitle><navMap><navPoint id="a"><navLabel>'
           '<text>Part one</text></navLabel><content src="p.xhtml"/></navPoint></navMap></ncx>')
    opf = ('<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Book</dc:title>'
           "<dc:identifier>id-a</dc:identifier></metadata></package>")
    data = pack({"mimetype": "application/epub+zip", "META-INF/container.xml": "<c/>", "O/p.xhtml": page, "O/toc.ncx": ncx,
                 "O/c.opf": opf, "O/s.css": "p {}"}, {"mimetype"})
    texts, loud = through("a.epub", data)
    after, order = unpack(loud)
    check(order[0].filename == "mimetype" and order[0].compress_type == 0, "mimetype is not first and stored")
    for name in ("O/p.xhtml", "O/toc.ncx", "O/c.opf"):
        ET.fromstring(after[name])
    check(after["O/p.xhtml"].decode() == page.replace("Book", "BOOK").replace("One", "ONE").replace(">bold", ">BOLD")
          .replace(";text", ";TEXT").replace("more", "MORE"), after["O/p.xhtml"].decode())
    check(after["O/toc.ncx"].decode() == ncx.replace("Book", "BOOK").replace("Part one", "PART ONE"), after["O/toc.ncx"])
    check(after["O/c.opf"].decode() == opf.replace("Book", "BOOK"), after["O/c.opf"])


def test_xliff():
    one = ('<?xml version="1.0"?>\n<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2" version="1.2">\n<file source-language="en" original="a">\n<body>\n'
           '  <trans-unit id="1">\n    <source>A <g id="1">bold</g> <x id="2"/>word</source>\n  </trans-unit>\n'
           '  <trans-unit id="2">\n    <source>Old</source>\n    <target>Vieux</target>\n    <alt-trans><source>No</source><target/></alt-trans>\n  </trans-unit>\n'
           '  <trans-unit id="3">\n    <source>Empty <bpt id="1">&lt;b&gt;</bpt>is<ept id="1">&lt;/b&gt;</ept></source>\n    <target state="new"></target>\n  </trans-unit>\n'
           '  <trans-unit id="4" translate="no"><source>Kept</source></trans-unit>\n</body>\n</file>\n</xliff>\n')
    texts, loud = through("a.xlf", one.encode())
    check(texts == ["A <x0>bold</x0> <img x1>word", "Empty <x0>is</x0>"], texts)
    want = (one.replace('word</source>\n', 'word</source>\n    <target>A <g id="1">BOLD</g> <x id="2"/>WORD</target>\n')
            .replace('<target state="new"></target>', '<target state="new">EMPTY <bpt id="1">&lt;b&gt;</bpt>IS<ept id="1">&lt;/b&gt;</ept></target>')
            .replace('<file source', '<file target-language="fr" source'))
    check(loud.decode() == want, loud.decode())
    ET.fromstring(loud)
    two = ('<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en"><file id="f"><unit id="u"><segment><source>One '
           '<pc id="1">two</pc><ph id="2"/> <sc id="3"/>three<ec startRef="3"/></source></segment><segment><source>Four</source><target/></segment></unit>'
           '<unit id="v" translate="no"><segment><source>No</source></segment></unit></file></xliff>')
    texts, loud = through("b.xliff", two.encode())
    check(texts == ["One <x0>two</x0><img x1> <x2>three</x2>", "Four"], texts)
    check(loud.decode() == two.replace('<xliff', '<xliff trgLang="fr"').replace(
        "</source></segment><segment>", '</source><target>ONE <pc id="1">TWO</pc><ph id="2"/> <sc id="3"/>THREE<ec startRef="3"/></target></segment><segment>')
        .replace("Four</source><target/>", "Four</source><target>FOUR</target>"), loud.decode())


def test_po():
    po = ('msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nLanguage: fr\\nPlural-Forms: nplurals=2; plural=n>1;\\n"\n\n'
          '#, c-format\nmsgid "one %d \\"file\\"\\n"\nmsgid_plural "%d files\\n"\nmsgstr[0] ""\nmsgstr[1] ""\n\nmsgctxt "c"\nmsgid "a\\n"\n"b\\t<b>c</b>"\nmsgstr ""\n')
    texts, loud = through("a.po", po.encode())
    if shutil.which("msgfmt"):
        loud = loud.replace(b"%D", b"%d")
        done = subprocess.run(["msgfmt", "-c", "--statistics", "-o", folder / "a.mo", "-"], input=loud, capture_output=True)
        check(done.returncode == 0 and b"2 translated messages." in done.stderr and b"," not in done.stderr, done.stderr)
        back = subprocess.run(["msgunfmt", folder / "a.mo"], capture_output=True, text=True).stdout
        check('msgstr[1] "%d FILES\\n"' in back and 'A\\n"\n"B\\t<b>C</b>"' in back, back)


class Tags(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.seen, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, attributes))

    def handle_endtag(self, tag):
        self.seen.append(("/" + tag, None))

    def handle_data(self, data):
        self.words.append(data if self.seen and self.seen[-1][0] in ("script", "code") else data.upper())


def test_html():
    page = '<!doctype html><title>A</title><p class=x>One <b>two</b> &amp; <a href="u&amp;v">three</a><br><script>if (a<b) {}</script><code>x</code><p>four'
    _, loud = through("a.html", page.encode())
    old, new = Tags(page), Tags(loud.decode())
    check(old.seen == new.seen, new.seen)
    check("".join(old.words) == "".join(new.words) and "TWO" in loud.decode(), new.words)


def test_markdown():
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        return print("markdown-it-py is missing: Markdown is not compared")
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    render = lambda text: markdown.render(re.sub(r"\[\^[^\]]*\]", "", text))  # it knows no notes
    root = pathlib.Path(__file__).resolve().parents[2]
    paths = [*root.glob("*.md"), *root.glob("docs/*.md")]
    check(len(paths) > 10, "where are the pages?")
    for path in paths:
        text = path.read_text()
        through("a.md", text.encode(), "attributes")
        _, loud = through("a.md", text.encode())
        shape = lambda md: re.sub(r"\s+", " ", re.sub(r">[^<]+(?=<)", ">", re.sub(r"<code[^>]*>.*?</code>", lambda m: f"<{hash(m.group())}>", render(md), flags=re.S)))
        words = lambda md: re.sub(r"\s+", " ", re.sub(r"<[^>]*>|&\w+;", "", re.sub(r"<code[^>]*>.*?</code>", "", render(md), flags=re.S)))
        a, b = shape(text), shape(loud.decode())
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        check(a == b, f"{path.name}: {a[max(0, at - 200):at + 100]!r}\n{b[max(0, at - 200):at + 100]!r}")
        ascii_up = lambda s: "".join(c.upper() if c.isascii() else c for c in s)
        check(ascii_up(words(text)) == words(loud.decode()), f"{path.name}: words change")


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print(name, "passed")
shutil.rmtree(folder)
