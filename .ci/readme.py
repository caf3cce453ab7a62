"""Write README.md from nbs/index.ipynb, and the picture that each tutorial opens with from its own output; with --check, only say what differs.
Quarto is not needed."""
import argparse,base64,difflib,json,os,posixpath,re,sys
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from nbdev import processors as P

root = Path(__file__).resolve().parent.parent
os.chdir(root)   # nbdev looks for settings.ini from here
nb_path,readme,img_dir = Path('nbs/index.ipynb'),Path('README.md'),Path('nbs/images')
notice = f'<!-- Generated from {nb_path} by .ci/readme.py: edit the notebook, not this file. -->'
img_exts = {'image/png': 'png', 'image/jpeg': 'jpg'}

class ReadmeDefaults(P.FilterDefaults):
    "nbdev's processors without those that run code, that look up links in what happens to be installed, or that serve the site"
    def base_procs(self):
        return [P.populate_language, P.strip_ansi, P.hide_line, P.filter_stream_, P.rm_header_dash, P.rm_export, P.clean_magics, P.hide_]

class TableParser(HTMLParser):
    "The header rows `head` and body rows `body` of the first table, as lists of text"
    def __init__(self, html):
        super().__init__()
        self.head,self.body,self.cell,self.rows,self.done,self.spans = [],[],None,None,False,False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if self.done: return
        if tag == 'table': self.rows = self.body
        if self.rows is None: return
        if tag in ('thead', 'tbody'): self.rows = self.head if tag == 'thead' else self.body
        if tag == 'tr': self.rows.append([])
        if tag in ('td', 'th') and self.rows:
            self.cell = ''
            if any(k in ('colspan', 'rowspan') and v not in (None, '1') for k,v in attrs): self.spans = True
        if tag == 'br' and self.cell is not None: self.cell += ' '

    def handle_endtag(self, tag):
        if self.done: return
        if tag in ('td', 'th') and self.cell is not None:
            self.rows[-1].append(' '.join(self.cell.split()))
            self.cell = None
        if tag == 'table' and self.rows is not None: self.done = True

    def handle_data(self, data):
        if self.cell is not None: self.cell += data

def html_table(html):
    "GitHub table of the first HTML table, or None where there is none, or none that Markdown can express"
    t = TableParser(html)
    head,body = t.head or t.body[:1],t.body if t.head else t.body[1:]
    if not head or t.spans or len({len(o) for o in head+body}) != 1: return
    head = [' '.join(filter(None, o)) for o in zip(*head)]  # pandas puts the index's name in a second header row
    is_num = [bool(body) and all(re.fullmatch(r'[-+]?[\d.,]+(e[-+]?\d+)?%?|nan|', v, re.I) for v in o) for o in zip(*body)] or [False]*len(head)
    esc = lambda o: re.sub(r'([|<>*_`\\])', r'\\\1', o)
    rows = [[esc(v) for v in o] for o in [head, *body]]
    rows.insert(1, ['---:' if o else '---' for o in is_num])
    return '\n'.join(f"| {' | '.join(o)} |" for o in rows)

def fence(text, lang=''):
    "`text` in a fence longer than any within it"
    ticks = max([3, *(len(o)+1 for o in re.findall('`{3,}', text))])
    return f"{'`'*ticks}{lang}\n{text}\n{'`'*ticks}"

def as_text(o): return (o if isinstance(o, str) else ''.join(o)).strip('\n')

def relink(src, missing):
    "Markdown `src` with targets that are relative to the notebook made relative to the README"
    def _f(m):
        pre,target,post = m.groups()
        path,sep,anchor = target.partition('#')
        new = posixpath.normpath(posixpath.join(nb_path.parent.as_posix(), path))
        if not path or re.match(r'[a-z]+:|/', path): return m[0]
        if not Path(new).exists():
            if m[0].startswith('<img') or pre.startswith('!'): missing.append(new)
            return m[0]
        return pre+new+sep+anchor+post
    src = re.sub(r'(!?\[[^\]]*\]\()([^)\s]+)([^)]*\))', _f, src)
    return re.sub(r'(<img[^>]*\bsrc=["\'])([^"\']+)(["\'])', _f, src)

def build():
    "README's text, its images as {path: bytes}, and the links to images that do not exist"
    nb = P.read_nb(nb_path)
    ReadmeDefaults()(nb)
    parts,imgs,missing = [notice],{},[]

    def opt(cell, key, default=''): return ' '.join(cell.directives_.get(key+':', [default])).strip('"\'')

    def image(cell, out, mime):
        path = (img_dir/f'index-{len(imgs)+1}.{img_exts[mime]}').as_posix()
        imgs[path] = base64.b64decode(''.join(out.data[mime]))
        alt = opt(cell, 'fig-alt') or opt(cell, 'fig-cap')
        width = out.get('metadata', {}).get(mime, {}).get('width')  # a retina plot has twice the pixels that it should be shown with
        return f'<img src="{path}" alt="{escape(alt)}" width="{width}">' if width else f'![{alt}]({path})'

    def output(cell, out):
        "What one output becomes in Markdown"
        asis = opt(cell, 'output') == 'asis'
        if out.output_type == 'stream':
            if out.name == 'stderr' and opt(cell, 'warning') == 'false': return ''
            text = as_text(out.text)
            return text if asis or not text else fence(text)
        if out.output_type == 'error': return fence(f'{out.ename}: {out.evalue}')
        data = out.get('data', {})
        if 'text/markdown' in data: return as_text(data['text/markdown'])
        for mime in img_exts:
            if mime in data: return image(cell, out, mime)
        table = html_table(as_text(data['text/html'])) if 'text/html' in data else None
        text = as_text(data.get('text/plain', ''))
        if table: return table
        if re.match(r'\[?<(IPython|Figure|Axes|matplotlib)', text): return ''   # a bare repr tells a reader nothing
        return text if asis or not text else fence(text)

    for cell in nb.cells:
        if cell.cell_type == 'markdown': parts.append(relink(as_text(cell.source), missing))
        if cell.cell_type != 'code' or opt(cell, 'include') == 'false': continue
        src = re.sub(r'^\s*#\s*\|.*\n?', '', cell.source, flags=re.MULTILINE).strip()
        if src and opt(cell, 'echo') != 'false': parts.append(fence(src, cell.metadata.get('language', 'python')))
        if opt(cell, 'output') != 'false': parts += [output(cell, o) for o in cell.get('outputs', [])]
    return '\n\n'.join(filter(None, parts)) + '\n', imgs, missing

def results():
    "{path: bytes} of the tutorials' pictures: the first image of the cell that begins with `#| label: result`"
    res = {}
    for path in sorted(Path('nbs/tutorials').glob('*.ipynb')):
        cells = [o for o in json.loads(path.read_text(encoding='utf-8'))['cells'] if o['cell_type'] == 'code' and ''.join(o['source']).startswith('#| label: result\n')]
        found = [o['data']['image/png'] for c in cells[:1] for o in c['outputs'] if 'image/png' in o.get('data', {})]
        if found: res[(img_dir/f'{path.stem}.png').as_posix()] = base64.b64decode(''.join(found[0]))
    return res

def main(check):
    text,imgs,missing = build()
    imgs |= results()
    old = readme.read_text(encoding='utf-8') if readme.exists() else ''
    stale = [o for o in sorted(img_dir.glob('*')) if o.suffix[1:] in img_exts.values() and o.as_posix() not in imgs]
    faults = [f'{o}: linked from {nb_path}, and not there' for o in missing]
    if check:
        sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), text.splitlines(True), 'README.md', str(nb_path)))
        if old != text: faults.append('README.md: differs from the notebook')
        for o,data in imgs.items():
            if not Path(o).exists(): faults.append(f'{o}: missing')
            elif Path(o).read_bytes() != data: faults.append(f'{o}: differs from the notebook')
        faults += [f'{o}: stale' for o in stale]
    else:
        readme.write_text(text, encoding='utf-8')
        if imgs: img_dir.mkdir(exist_ok=True)
        for o,data in imgs.items(): Path(o).write_bytes(data)
        for o in stale: o.unlink()
    for o in faults: print(o, file=sys.stderr)
    if check and faults: print('Run `python .ci/readme.py` and commit what it writes.', file=sys.stderr)
    return 1 if faults else 0

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing; exit 1 where README.md or its images differ')
    sys.exit(main(parser.parse_args().check))
