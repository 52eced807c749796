"""What Sphinx and the theme leave undone: images, code in tables, Korean, MathJax."""

import html
import posixpath
import re
import shutil
from pathlib import Path

from extensions import figures

PARENTHESIS = '<span class="sig-paren">(</span>'
# What a page loads of MathJax: one build, and its fonts.
MATHJAX = ["tex-chtml.js", "output/chtml/fonts/woff-v2"]

KOREAN_CAPTIONS = {
    "Start": "시작",
    "Losses": "손실 함수",
    "Optimizers": "옵티마이저",
    "Schedules": "학습률 스케줄",
    "Migrating": "옮겨 오기",
    "Reference": "레퍼런스",
}
KOREAN_TITLES = {
    "guides/start": "시작하기 (영어)",
    "guides/forms": "함수와 클래스",
    "guides/custom": "직접 만들기",
    "guides/saving": "저장하고 불러오기",
    "guides/mixed_precision": "혼합 정밀도와 bfloat16",
    "guides/distribution": "여러 장치로 학습하기",
    "guides/backends": "백엔드",
    "guides/sharp_bits": "Keras에서 주의할 점",
    "guides/faq": "자주 묻는 질문",
    "guides/troubleshooting": "문제 해결",
    "guides/losses": "손실 함수 고르기",
    "guides/imbalance": "클래스 불균형",
    "guides/long_tailed": "다중 레이블과 롱테일 클래스",
    "guides/segmentation": "세그멘테이션",
    "guides/ordinal": "순서가 있는 클래스",
    "guides/label_smoothing": "레이블 스무딩",
    "guides/metric_learning": "메트릭 러닝",
    "guides/recall": "배치에서 recall@k까지",
    "guides/self_supervised": "자기지도 학습",
    "guides/semi_supervised": "준지도 학습",
    "guides/multi_task": "멀티태스크 학습",
    "guides/preference": "선호도 튜닝",
    "guides/distributions": "분포 예측",
    "guides/optimizers": "옵티마이저와 스케줄 고르기",
    "guides/wrappers": "래퍼와 가중치 평균",
    "guides/fine_tuning": "파인튜닝",
    "guides/speed": "속도",
    "guides/warmup_cosine": "워밍업과 코사인 감쇠",
    "guides/migrate": "코드를 바꿔 주는 도구",
    "guides/tfa": "TensorFlow Addons와의 차이",
    "guides/recipes": "PyTorch와 timm 설정 옮기기",
    "api/index": "API 레퍼런스",
    "api/losses": "손실 함수",
    "api/optimizers": "옵티마이저",
    "api/schedules": "학습률 스케줄",
    "api/layers": "레이어",
    "api/metrics": "평가 지표",
    "api/models": "모델",
    "api/utils": "유틸리티",
    "api/callbacks": "콜백",
    "api/tfa.losses": "TensorFlow Addons: 손실 함수",
    "api/tfa.optimizers": "TensorFlow Addons: 옵티마이저",
    "gallery": "갤러리",
    "playground": "플레이그라운드",
    "benchmarks/quality": "벤치마크: 옵티마이저와 손실 함수",
    "benchmarks/cpu": "벤치마크: CPU",
    "benchmarks/h100": "벤치마크: GPU",
}


def describe(app, docname, source) -> None:
    """Gives figures in guides the alternative text that they have elsewhere."""

    def image(found):
        return f"![{figures.ALTS[found[2]]}]({found[1]}{found[2]}.svg)"

    if docname.startswith("guides/"):
        pattern = r"!\[[^\]]*\]\(((?:\.\./)+_figures/)([\w/]+)\.svg\)"
        source[0] = re.sub(pattern, image, source[0])


def improve(app, pagename, templatename, context, doctree) -> None:
    """Changes the HTML of a page before it is written."""
    if context.get("body"):
        paths = {name: path for path, name in app.builder.images.items()}
        context["body"] = sized(improved(context["body"]), Path(app.srcdir), paths)
    tree = context.get("furo_navigation_tree", "")
    if pagename.startswith("ko/"):
        context["language"] = "ko"
        tree = korean(tree, posixpath.dirname(pagename))
        for way in ("prev", "next"):
            if context.get(way):
                link = context[way]["link"]
                title = korean_title(link, "ko", context[way]["title"])
                context[way] = {"link": link, "title": title}
    context["furo_navigation_tree"] = re.sub(r"(?<=>)\w+(?=</a>)", _by_words, tree)


def improved(body: str) -> str:
    """Images load when they come into sight; long titles fit; code breaks at dots."""
    body = re.sub(r"<img (?!loading)", '<img loading="lazy" ', body)
    body = re.sub(
        r'(<span class="sig-prename[^>]*>.*?</span></span>)', r"\1<wbr>", body
    )
    body = body.replace(PARENTHESIS, f"{PARENTHESIS}<wbr>")
    body = re.sub(r'<code class="[^"]*\bliteral\b[^"]*">.*?</code>', _breakable, body)
    return re.sub(r"<h1>(.*?)<a ", _fitted, body, count=1, flags=re.S)


def sized(body: str, source: Path, paths: dict[str, str]) -> str:
    """Gives drawings their size, so that the page does not grow when they load."""

    def with_size(found):
        head = (source / paths[found[2]]).read_text()[:2000]
        sizes = re.findall(r'(?:width|height)="([\d.]+)pt"', head)[:2]
        width, height = (round(float(points) * 4 / 3) for points in sizes)
        return f'<img width="{width}" height="{height}" {found[1]}'

    return re.sub(
        r'<img (?!width)([^>]*src="[^"]*_images/([^"]+\.svg)")', with_size, body
    )


def _breakable(code):
    """Code that may break after punctuation, never within a name."""
    return re.sub(r"(?<=\w)([./(])(?=\w)(?![^<>]*>)", r"\1<wbr>", code[0])


def _by_words(name):
    """A name in the narrow contents, which may break between its words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=_)(?=[a-z])", "<wbr>", name[0])


def _fitted(title):
    """A title with the length of its longest word, by which the style sizes it."""
    words = html.unescape(re.sub(r"<[^>]+>", "", title[1])).split()
    longest = max(map(len, words), default=1)
    return f'<h1 style="--longest: {longest}">{title[1]}<a '


def korean(tree: str, folder: str) -> str:
    """A navigation tree with Korean captions and titles."""

    def caption(found):
        return f'<span class="caption-text">{KOREAN_CAPTIONS.get(found[1], found[1])}<'

    def title(found):
        return f'href="{found[1]}">{korean_title(found[1], folder, found[2])}<'

    tree = re.sub(r'<span class="caption-text">([^<]*)<', caption, tree)
    return re.sub(r'href="([^"#]+\.html)">([^<]*)<', title, tree)


def korean_title(link: str, folder: str, title: str) -> str:
    """The Korean title of a page that is linked, or its own."""
    page = posixpath.normpath(posixpath.join(folder, link)).removesuffix(".html")
    return KOREAN_TITLES.get(page, title)


def prune(app, exception) -> None:
    """Deletes builds of MathJax that no page loads: 20 of 24 MB."""
    whole = Path(app.outdir) / "_static" / "mathjax"
    if exception is None and whole.is_dir():
        kept = Path(app.outdir) / "_static" / "mathjax-kept"
        shutil.rmtree(kept, ignore_errors=True)
        for name in MATHJAX:
            (kept / name).parent.mkdir(parents=True, exist_ok=True)
            (whole / name).rename(kept / name)
        shutil.rmtree(whole)
        kept.rename(whole)


def setup(app):
    # It only copies files, and does not say that pages may be read in parallel.
    app.extensions["sphinx-mathjax-offline"].parallel_read_safe = True
    app.connect("source-read", describe)
    app.connect("html-page-context", improve, priority=900)  # after the theme
    app.connect("build-finished", prune, priority=900)  # after the copy
    return {"parallel_read_safe": True, "parallel_write_safe": True}
