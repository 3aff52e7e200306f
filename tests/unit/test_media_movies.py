"""Movies: exact where the codec is, found by number, broken tails told, sound and timecode carried over."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_files import make_dpx, random_codes, write_image

from filmrestore.errors import CorruptFile, OutputError, UsageError
from filmrestore.frame import Box, Frame
from filmrestore.media import Shot, open_shot, open_writer
from filmrestore.media.ffv1 import is_sound
from filmrestore.media.timecode import advance, unpack_timecode

COUNT, HEIGHT, WIDTH = 12, 128, 256


def smooth(number: int, channels: int, dtype: str) -> np.ndarray:
    """A moving gradient: codecs that lose little keep it."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [(np.sin((x + 7 * number) / (19 + k)) + np.cos(y / (23 + k)) + 2) / 4 for k in range(channels)]
    return np.rint(np.stack(planes, axis=2) * np.iinfo(dtype).max).astype(dtype)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    folder = tmp_path_factory.mktemp("movies")
    for number in range(1, COUNT + 1):
        write_image(folder / f"scan.{number:04d}.png", smooth(number, 3, "uint16"))
    return open_shot(folder)


def movie_of(shot: Shot, path: Path, **options: object) -> Path:
    with open_writer(path, shot, **options) as writer:
        for number in shot.frames:
            writer.write(shot.read(number))
    return path


@pytest.fixture(scope="module")
def movies(scan: Shot, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("made")
    return {name: movie_of(scan, folder / f"a{name}", lossy=True) for name in (".mov", ".mkv", ".mp4", ".mxf")}


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_ffv1_keeps_every_code_of_integers(tmp_path: Path, channels: int, dtype: str):
    for number in (1, 2):
        write_image(tmp_path / "scan" / f"a.{number}.png", random_codes((19, 33, channels), dtype, number))
    shot = open_shot(tmp_path / "scan")
    with open_shot(movie_of(shot, tmp_path / "a.mkv")) as movie:
        assert movie.format.lossless and movie.is_movie and movie.frames == (1, 2)
        assert (movie.format.channels, movie.format.dtype) == (shot.format.channels, dtype)
        for number in (1, 2):
            assert np.array_equal(movie.read(number).codes, shot.read(number).codes)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", ["Y", "RGB", "ABGR"])
def test_ffv1_keeps_dpx_codes_at_their_own_depth(tmp_path: Path, bits: int, channels: str):
    (tmp_path / "a.0001.dpx").write_bytes(make_dpx(40, 20, channels, bits))
    shot = open_shot(tmp_path / "a.0001.dpx")
    with open_shot(movie_of(shot, tmp_path / "a.mkv")) as movie:
        assert movie.format.bits == bits
        order = [shot.format.channels.index(name) for name in movie.format.channels]
        assert np.array_equal(movie.read(1).codes, shot.read(1).codes[:, :, order])


@pytest.mark.parametrize(
    ("suffix", "pixels", "bits", "worst"),
    [(".mov", "yuv422p10le", 16, 900), (".mxf", "yuv422p10le", 16, 900), (".mp4", "yuv420p", 8, 2000)],
)
def test_codecs_that_lose_come_close_and_are_known_as_lossy(
    scan: Shot, movies: dict[str, Path], suffix: str, pixels: str, bits: int, worst: int
):
    with open_shot(movies[suffix]) as movie:
        assert movie.frames == scan.frames and movie.rate == 24
        assert not movie.format.lossless and movie.format.bits == bits
        frame = movie.read(7)
        assert frame.metadata["movie:pixels"] == pixels
        scaled = frame.codes.astype(int) * (257 if bits == 8 else 1)
        assert np.abs(scaled - scan.read(7).codes).max() <= worst


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".mp4", ".mxf"])
def test_frames_found_by_number_are_those_found_in_order(movies: dict[str, Path], suffix: str):
    with open_shot(movies[suffix]) as movie, open_shot(movies[suffix]) as other:
        in_order = {number: movie.read(number).codes for number in movie.frames}
        for number in (9, 2, 12, 1, 11, 3, 3, 4):
            assert np.array_equal(other.read(number).codes, in_order[number])
        box = Box(x0=3, y0=5, x1=60, y1=50)
        assert np.array_equal(other.read(6, box=box).codes, in_order[6][box.slices])


def test_codes_that_would_change_need_leave(scan: Shot, tmp_path: Path):
    for name in ("a.mov", "a.mp4", "a.mxf"):
        with pytest.raises(UsageError, match=r"16-bit uint16.*--lossy.*FFV1"):
            open_writer(tmp_path / name, scan)
    light = open_shot(write_image(tmp_path / "a.exr", random_codes((4, 4, 3), "float16")))
    with pytest.raises(UsageError, match=r"FFV1 cannot keep every code of 16-bit float16"):
        open_writer(tmp_path / "a.mkv", light)


def test_a_codec_that_does_not_fit_is_told(scan: Shot, tmp_path: Path):
    with pytest.raises(UsageError, match="'divx' is not offered; choose one of prores"):
        open_writer(tmp_path / "a.mov", scan, lossy=True, codec="divx")
    with pytest.raises(UsageError, match=r"\.mov does not hold ffv1"):
        movie_of(scan, tmp_path / "a.mov", codec="ffv1")
    (tmp_path / "a.0001.dpx").write_bytes(make_dpx(40, 20))
    with pytest.raises(OutputError, match=r"frame 1 of the movie cannot be written as dnxhr.*256 x 120"):
        movie_of(open_shot(tmp_path / "a.0001.dpx"), tmp_path / "b.mov", codec="dnxhr", lossy=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.0001.dpx"]


def test_a_movie_takes_the_frames_in_order_and_none_is_made_with_a_hole(scan: Shot, tmp_path: Path):
    writer = open_writer(tmp_path / "a.mkv", scan)
    writer.write(scan.read(1))
    writer.write(scan.read(3))
    with pytest.raises(UsageError, match="expected 2, got 3"):
        writer.flush()
    with pytest.raises(OutputError, match=r"a\.mkv: not made"):
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_movie_shows_under_its_name_only_when_it_is_whole(scan: Shot, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt), open_writer(tmp_path / "a.mkv", scan) as writer:
        writer.write(scan.read(1))
        writer.flush()
        assert not writer.exists(1) and len(list(tmp_path.iterdir())) == 1
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mkv", ".mxf"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_broken_tail_is_told_with_the_frames_that_are_there(
    movies: dict[str, Path], tmp_path: Path, suffix: str, share: float
):
    content = movies[suffix].read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: int(len(content) * share)])
    with open_shot(movies[suffix]) as whole, open_shot(path) as cut:
        assert cut.frames == whole.frames
        good = 0
        with pytest.raises(CorruptFile) as told:
            for number in cut.frames:
                assert np.array_equal(cut.read(number).codes, whole.read(number).codes)
                good = number
        assert 0 < good < COUNT and abs(good - share * COUNT) < 2
        assert f"{good} of {COUNT} frames are there" in str(told.value)
        assert f"cut{suffix}" in str(told.value) and f"with the span 1-{good}" in str(told.value)
        assert np.array_equal(cut.read(1).codes, whole.read(1).codes)


@pytest.mark.parametrize(("suffix", "share"), [(".mov", 0.6), (".mp4", 0.95)])
def test_a_broken_tail_behind_an_index_is_told(movies: dict[str, Path], tmp_path: Path, suffix: str, share: float):
    path = tmp_path / f"cut{suffix}"
    with (
        av.open(str(movies[suffix])) as source,
        av.open(str(path), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.pts is not None:
                packet.stream = stream
                target.mux(packet)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with open_shot(path) as cut:
        assert len(cut.frames) == COUNT
        cut.read(1)
        with pytest.raises(CorruptFile, match=rf"cut\{suffix}: the movie breaks off: \d+ of 12 frames.*the span 1-\d"):
            cut.read(COUNT)


@pytest.mark.parametrize("content", [b"", b"\x1aE\xdf\xa3", bytes(5000)])
def test_what_is_no_movie_is_told(tmp_path: Path, content: bytes):
    (tmp_path / "a.mkv").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"a\.mkv: .*copy it again"):
        open_shot(tmp_path / "a.mkv")


def test_a_damaged_ffv1_frame_is_told_and_the_others_are_read(movies: dict[str, Path], tmp_path: Path):
    content = bytearray(movies[".mkv"].read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.mkv").write_bytes(content)
    with open_shot(movies[".mkv"]) as whole, open_shot(tmp_path / "a.mkv") as movie:
        bad = []
        for number in movie.frames:
            try:
                assert np.array_equal(movie.read(number).codes, whole.read(number).codes)
            except CorruptFile as failure:
                bad.append(number)
                assert f"frame {number} of {COUNT} cannot be decoded" in str(failure)
        assert len(bad) == 1


def test_slice_sums_are_right_and_see_one_bit(movies: dict[str, Path]):
    with av.open(str(movies[".mkv"])) as container:
        packet = bytearray(bytes(next(container.demux(video=0))))
    assert is_sound(bytes(packet))
    packet[len(packet) // 2] ^= 1
    assert not is_sound(bytes(packet)) and not is_sound(b"123")


def heard(container: av.container.InputContainer) -> np.ndarray:
    return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def test_sound_timecode_and_rate_are_carried_over(tmp_path: Path):
    source, rate = tmp_path / "source.mov", Fraction(24000, 1001)
    with av.open(str(source), "w") as container:
        video = container.add_stream("prores_ks", rate=rate)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv422p10le"
        video.metadata["timecode"] = "01:02:03:04"
        audio = container.add_stream("pcm_s16le", rate=48000)
        samples = np.random.default_rng(0).integers(-9999, 9999, (1, 24000), dtype=np.int16)
        sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        sound.sample_rate, sound.pts = 48000, 0
        for number in range(12):
            picture = av.VideoFrame.from_ndarray(smooth(number, 3, "uint8")[:48, :64].copy(), format="rgb24")
            picture.pts, picture.time_base = number, 1 / rate
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    with av.open(str(source)) as container:
        before = heard(container)
        assert before.size
    with open_shot(source) as shot:
        assert shot.rate == rate and shot.frames == tuple(range(1, 13))
        movie_of(shot, tmp_path / "whole.mov", lossy=True)
    with open_shot(source, "5-8") as part:
        movie_of(part, tmp_path / "part.mov", lossy=True)
    with av.open(str(tmp_path / "whole.mov")) as container:
        assert container.streams.video[0].metadata["timecode"] == "01:02:03:04"
        assert container.streams.video[0].average_rate == rate
        assert np.array_equal(heard(container), before)
    with av.open(str(tmp_path / "part.mov")) as container:
        assert container.streams.video[0].metadata["timecode"] == "01:02:03:08"
        assert not container.streams.audio and container.streams.video[0].frames == 4


def test_a_span_of_a_movie_keeps_its_numbers(movies: dict[str, Path]):
    with open_shot(movies[".mkv"], "5-8") as shot:
        assert shot.frames == (5, 6, 7, 8) and shot.available == tuple(range(1, COUNT + 1))
        frame: Frame = shot.read(4)
        assert frame.number == 4


@pytest.mark.parametrize(
    ("words", "frames", "rate", "later"),
    [
        ("01:00:00:00", 25, Fraction(25), "01:00:01:00"),
        ("00:00:59;29", 1, Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 17982, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("23:59:59:23", 1, Fraction(24), "00:00:00:00"),
    ],
)
def test_timecode_counts_on(words: str, frames: int, rate: Fraction, later: str):
    assert advance(words, frames, rate) == later


def test_stored_timecode_is_read():
    assert unpack_timecode(0x23595923) == "23:59:59:23"
    assert unpack_timecode(0x01020344) == "01:02:03;04"
