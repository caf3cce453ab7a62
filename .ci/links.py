"Check the links that the repository can answer for itself: files, sections, its own addresses, Colab badges, the sidebar. Nothing is downloaded."
import configparser,json,posixpath,re,subprocess,sys
from pathlib import Path
from urllib.parse import unquote

root = Path(__file__).resolve().parent.parent
cfg = configparser.ConfigParser(interpolation=None)
cfg.read(root/'settings.ini', encoding='utf-8')
user,repo,branch,nbs = (cfg['DEFAULT'][o] for o in ('user','repo','branch','nbs_path'))
sidebar = f'{nbs}/sidebar.yml'
faults = []

def fault(file, link, why): faults.append(f'{file}: {link}: {why}')

def tracked():
    "Files that are in the repository, or will be with the next `git add`"
    out = subprocess.run(['git','ls-files','-z','--cached','--others','--exclude-standard'], cwd=root, check=True, capture_output=True, text=True).stdout
    return {o for o in out.split('\0') if o and (root/o).exists()}

files = tracked()
folders = {p.as_posix() for o in files for p in Path(o).parents}
# As nbdev chooses them.
notebooks = sorted(o for o in files if o.startswith(nbs+'/') and o.endswith('.ipynb') and not re.search(r'/[_.]', o))
pages = sorted(o for o in files if o.endswith('.md'))

def text(o): return o if isinstance(o, str) else ''.join(o)

def cells(file):
    "(is it Markdown?, source) of a notebook's cells, or of a Markdown file as one"
    src = (root/file).read_text(encoding='utf-8')
    if file.endswith('.md'): return [(True, src)]
    return [(o['cell_type']=='markdown', text(o['source'])) for o in json.loads(src)['cells']]

sources = {o:cells(o) for o in notebooks+pages}

def prose(src):
    "`src` without code, comments and formulas, where a link is no link"
    src = re.sub(r'^( {0,3})(`{3,}|~{3,})[^\n]*\n.*?^ {0,3}\2[`~]*[ \t]*$', '', src, flags=re.M|re.S)
    src = re.sub(r'<!--.*?-->', '', src, flags=re.S)
    src = re.sub(r'(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)', '', src, flags=re.S)
    return re.sub(r'\$\$.*?\$\$', '', src, flags=re.S)

def headings(file):
    "Texts of the sections of a file; the first one of a notebook is the page's title, and no section"
    found = []
    for i,(is_md,src) in enumerate(sources[file]):
        if not is_md: continue
        src = re.sub(r'^( {0,3})(`{3,}|~{3,})[^\n]*\n.*?^ {0,3}\2[`~]*[ \t]*$', '', src, flags=re.M|re.S)
        found += [m[2] for m in re.finditer(r'^(#{1,6})[ \t]+(.+?)[ \t]*#*$', src, re.M) if not (file.endswith('.ipynb') and i==0 and m[1]=='#')]
    return found

def plain(s): return re.sub(r'!?\[([^\]]*)\]\([^)]*\)|[`*]', lambda m: m[1] or '', s)

def slugs(file):
    "Names of the sections: as pandoc makes them for a page of the site, as GitHub does for a Markdown file"
    seen,res = {},set()
    for h in headings(file):
        if m := re.search(r'\{#([\w.-]+)[^}]*\}\s*$', h): res.add(m[1]); continue
        s = plain(h).strip().lower()
        if file.endswith('.ipynb'): s = re.sub(r'\s+', '-', re.sub(r'[^\w\s.-]', '', s)); s = re.sub(r'^[^a-z\u00c0-\uffff]+', '', s) or 'section'
        else: s = re.sub(r'[^\w\s-]', '', s).replace(' ', '-')
        n = seen.get(s, 0); seen[s] = n+1
        res.add(f'{s}-{n}' if n else s)
    res |= set(re.findall(r'<a\s+(?:id|name)=["\']([^"\']+)', '\n'.join(s for md,s in sources[file] if md)))
    return res

def targets(src):
    "Targets of Markdown and HTML links and images, also of an image within a link, and of reference definitions"
    src = prose(src)
    res = re.findall(r'\]\(\s*<?([^)\s>]+)>?(?:\s+["\'][^)]*)?\)', src)
    res += re.findall(r'<(?:img|a)\b[^>]*?\b(?:src|href)\s*=\s*["\']([^"\']+)', src)
    return res + re.findall(r'^ {0,3}\[[^\]]+\]:\s*(\S+)', src, re.M)

def check_section(file, link, target, section):
    if not section or target not in sources: return
    if section not in slugs(target): fault(file, link, f'{target} has no section #{section}')

def check_relative(file, link):
    path,_,section = link.partition('#')
    path = unquote(path.partition('?')[0])
    if not path: return check_section(file, link, file, section)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
    if path.startswith('/') or target.startswith('..'): return fault(file, link, 'leads out of the repository')
    is_page = file in notebooks
    if is_page and not target.startswith(nbs+'/'): return fault(file, link, f'is not below {nbs}, so it is not on the site: use its address at github.com')
    if target in files: return check_section(file, link, target, section)
    if target in folders and not is_page: return
    fault(file, link, f'{target} is not in the repository')

own = re.compile(r'https?://(?:www\.)?(github\.com|raw\.githubusercontent\.com|colab\.research\.google\.com/github)/([\w.-]+)/([\w.-]+)([^\s()\[\]<>"\'`\\]*)')
site = re.compile(r'https?://([\w-]+)\.github\.io/([\w.-]+)(/[^\s()\[\]<>"\'`\\]*)?')

def html_of(o): return re.sub(r'(^|/)\d+[a-zA-Z0-9]*_([^/]*)$', r'\1\2', o[len(nbs)+1:])[:-len('ipynb')]+'html'   # as nbdev does

def check_own(file, src):
    "Addresses of this repository, in code too"
    for m in own.finditer(src):
        link,(host,u,r,rest) = m[0].rstrip('.,;:'),m.groups()
        rest = rest.rstrip('.,;:')
        r = r.rstrip('.,;:').removesuffix('.git')
        if u!=user and r!=repo: continue
        if (u,r)!=(user,repo): fault(file, link, f'settings.ini has {user}/{repo}'); continue
        path,_,section = rest.partition('#')
        parts = unquote(path.partition('?')[0]).strip('/').split('/')
        if host!='raw.githubusercontent.com':
            if parts[0] not in ('blob','tree','raw','edit','blame','commits'):
                if host!='github.com': fault(file, link, f'/blob/{branch}/ and a notebook have to follow')
                continue
            parts = parts[1:]
        if parts[0]!=branch: fault(file, link, f'settings.ini has the branch {branch}'); continue
        target = '/'.join(parts[1:])
        if target and target not in files and target not in folders: fault(file, link, f'{target} is not in the repository')
        elif host!='raw.githubusercontent.com': check_section(file, link, target, section)
    for m in site.finditer(src):
        link,(u,r,rest) = m[0].rstrip('.,;:'),m.groups()
        if u!=user and r!=repo: continue
        if (u,r)!=(user,repo): fault(file, link, f'settings.ini has {user}/{repo}'); continue
        page = (rest or '').rstrip('.,;:').partition('#')[0].strip('/')
        if page.endswith('.html') and page not in {html_of(o) for o in notebooks}: fault(file, link, 'no notebook makes this page')

def check_badges():
    for o in notebooks:
        if not o.startswith(f'{nbs}/tutorials/'): continue
        url = f'https://colab.research.google.com/github/{user}/{repo}/blob/{branch}/{o}'
        badges = re.findall(r'\[!\[[^\]]*\]\([^)]*colab-badge[^)]*\)\]\(([^)]*)\)', '\n'.join(s for md,s in sources[o] if md))
        if badges!=[url]: fault(o, ', '.join(badges) or 'no Colab badge', f'one badge has to lead to {url}')

def check_sidebar():
    if sidebar not in files: return fault(sidebar, 'the file', 'is not in the repository')
    entries = re.findall(r'[\w./-]+\.ipynb', re.sub(r'^\s*#.*$', '', (root/sidebar).read_text(encoding='utf-8'), flags=re.M))
    entries = [f'{nbs}/{o}' for o in entries]
    for o in sorted(set(entries)):
        if o not in notebooks: fault(sidebar, o, 'there is no such notebook')
        if entries.count(o)>1: fault(sidebar, o, 'is there more than once')
    for o in notebooks:
        if o not in entries: fault(sidebar, o, 'is missing')

def check_pages():
    made = {}
    for o in notebooks: made.setdefault(html_of(o).lower(), []).append(o)
    for page,o in made.items():
        if len(o)>1: fault(', '.join(o), page, 'is the page of both')

def main():
    for file,parts in sources.items():
        for is_md,src in parts:
            check_own(file, src)
            if not is_md: continue
            for link in targets(src):
                if not re.match(r'[a-zA-Z][a-zA-Z+.-]*:|//', link): check_relative(file, link)
    check_badges(); check_sidebar(); check_pages()
    for o in dict.fromkeys(faults): print(o)
    print(f'{len(notebooks)} notebooks and {len(pages)} Markdown files, {len(set(faults))} faults', file=sys.stderr)
    return 1 if faults else 0

if __name__ == '__main__': sys.exit(main())
