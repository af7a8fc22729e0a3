#!/usr/bin/env python3
"""Pictures that Pillow writes are decoded as Pillow decodes them: TIFF and WebP of many kinds, CMYK in JPEG with and
without Adobe's marker, orientation in EXIF and in XMP.

    pictures_compare.py DRIVER

DRIVER is the program built from pictures_driver.c. Exits 77 (skipped) without Pillow.
"""
import io
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    from PIL import Image, ImageOps, features
except ImportError:
    print("skipped: the Python package pillow is not installed")
    sys.exit(77)

SIZE = (37, 21)


def noise(mode, seed):
    channels = {"1": 1, "L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    data = random.Random(seed).randbytes(SIZE[0] * SIZE[1] * channels)
    if mode == "1":
        return Image.frombytes("L", SIZE, data).convert("1")
    if mode == "P":
        return noise("RGB", seed).quantize(200)
    return Image.frombytes(mode, SIZE, data)


def smooth(mode):
    """What a lossy format keeps."""
    bands = [Image.linear_gradient("L").rotate(90 * i).resize(SIZE) for i in range(len(mode))]
    return Image.merge(mode, bands)


def without_adobe(data):
    """A JPEG without its APP14 marker."""
    out, at = data[:2], 2
    while data[at + 1] != 0xda:
        size = 2 + int.from_bytes(data[at + 2:at + 4], "big")
        out += data[at:at + size] if data[at + 1] != 0xee else b""
        at += size
    return out + data[at:]


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def xmp(orientation):
    return (b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%d"/></rdf:RDF></x:xmpmeta>'
            % orientation)


def files(folder):
    """(path, how far a channel may be off)"""
    seed = 0
    for mode in ("1", "L", "P", "LA", "RGB", "RGBA", "CMYK"):
        for packing in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate"):
            path = folder / f"{mode}-{packing}.tif"
            seed += 1
            noise(mode, seed).save(path, compression=packing)
            yield path, 1 if mode in ("LA", "RGBA", "CMYK") else 0
    noise("1", 1).save(folder / "fax.tif", compression="group4")
    yield folder / "fax.tif", 0
    smooth("RGB").save(folder / "jpeg.tif", compression="jpeg", quality=95)
    yield folder / "jpeg.tif", 2
    for mode in ("RGB", "RGBA"):
        noise(mode, 3).save(folder / f"{mode}.webp", lossless=True, exact=True)
        yield folder / f"{mode}.webp", 1 if mode == "RGBA" else 0
    smooth("RGB").save(folder / "lossy.webp", quality=90)
    yield folder / "lossy.webp", 0
    noise("RGB", 4).save(folder / "moving.webp", save_all=True, append_images=[noise("RGB", 5)], lossless=True)
    yield folder / "moving.webp", 0
    memory = io.BytesIO()
    smooth("CMYK").save(memory, "JPEG", quality=95)
    (folder / "adobe.jpg").write_bytes(memory.getvalue())
    (folder / "plain.jpg").write_bytes(without_adobe(memory.getvalue()))
    yield folder / "adobe.jpg", 2
    yield folder / "plain.jpg", 2
    for orientation in range(1, 9):
        for ending in ("jpg", "png", "webp", "tif"):
            path = folder / f"exif{orientation}.{ending}"
            smooth("RGB").save(path, exif=exif(orientation))
            yield path, 2 if ending == "jpg" else 0
        for ending in ("jpg", "webp"):
            path = folder / f"xmp{orientation}.{ending}"
            smooth("RGB").save(path, xmp=xmp(orientation))
            yield path, 2 if ending == "jpg" else 0


def expected(path):
    with Image.open(path) as picture:
        picture.load()
        turned = ImageOps.exif_transpose(picture)
        if turned.mode in ("LA", "RGBA"):
            white = Image.new("RGBA", turned.size, (255, 255, 255, 255))
            turned = Image.alpha_composite(white, turned.convert("RGBA"))
        return turned.convert("RGB")


def main():
    for needed in ("libtiff", "webp"):
        if not features.check(needed):
            print(f"skipped: this Pillow has no {needed}")
            sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        made = list(files(pathlib.Path(name)))
        sizes = subprocess.run([sys.argv[1], *(str(path) for path, _ in made)], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.splitlines()
        for (path, tolerance), size in zip(made, sizes, strict=True):
            right = expected(path)
            if size != "%d %d" % right.size:
                sys.exit(f"{path.name}: {size} instead of {right.size}")
            got = pathlib.Path(f"{path}.rgb").read_bytes()
            worst = max(abs(a - b) for a, b in zip(got, right.tobytes(), strict=True))
            if worst > tolerance:
                sys.exit(f"{path.name}: a channel is off by {worst}, at most {tolerance} was expected")
    print(f"{len(made)} pictures as Pillow decodes them")


if __name__ == "__main__":
    main()
