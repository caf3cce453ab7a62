"Everything here comes from settings.ini: change it there."
import re
import runpy
from configparser import ConfigParser
from pathlib import Path
from setuptools import setup, find_packages
from setuptools.command.build_py import build_py

here = Path(__file__).parent
config = ConfigParser(delimiters=['='])
config.read(here/'settings.ini', encoding='utf-8')
cfg = config['DEFAULT']
git_url = cfg['git_url']


def with_whole_links(text):
    "README with links and pictures that lead to the repository, as PyPI shows it elsewhere"
    raw = git_url.replace('github.com', 'raw.githubusercontent.com')
    text = re.sub(r'(<img[^>]*\bsrc=")(?![a-z]+:)', rf'\1{raw}/{cfg["branch"]}/', text)
    text = re.sub(r'(!\[[^\]]*\]\()(?![a-z]+:)', rf'\1{raw}/{cfg["branch"]}/', text)
    return re.sub(r'((?<!!)\[[^\]]*\]\()(?![a-z]+:|#)', rf'\1{git_url}/blob/{cfg["branch"]}/', text)


class BuildPy(build_py):
    "A build in which the index that nbdev's links are looked up in holds public names only, without white space"
    def build_module(self, module, module_file, package):
        outfile, copied = super().build_module(module, module_file, package)
        if module == '_modidx' and copied:
            index = runpy.run_path(str(module_file))['d']
            index['syms'] = {k: {name: o for name, o in syms.items() if '._' not in name}
                             for k, syms in index['syms'].items()}
            Path(outfile).write_text(f'd = {index!r}\n', encoding='utf-8')
        return outfile, copied


setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=with_whole_links((here/'README.md').read_text(encoding='utf-8')),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    url=git_url,
    project_urls={
        'Documentation': cfg['doc_host'] + cfg['doc_baseurl'],
        'Source': git_url,
        'Issues': git_url + '/issues',
        'Changelog': f'{git_url}/blob/{cfg["branch"]}/CHANGELOG.md',
    },
    license_expression=cfg['license_expression'],
    license_files=['LICENSE'],
    keywords=cfg['keywords'].split(),
    classifiers=[o for o in cfg['classifiers'].splitlines() if o],
    packages=find_packages(include=[cfg['lib_name'], cfg['lib_name'] + '.*']),
    package_data={cfg['lib_name']: ['py.typed']},
    cmdclass={'build_py': BuildPy},
    python_requires='>=' + cfg['min_python'],
    install_requires=cfg['requirements'].split(),
    extras_require={
        k: cfg[f'{k}_requirements'].split() for k in ('interpret', 'export', 'serve', 'excel', 'nifti', 'dev', 'newest')
    },
    entry_points={
        'console_scripts': cfg['console_scripts'].split(),
        'nbdev': [f"{cfg['lib_name']}={cfg['lib_path']}._modidx:d"],
    },
    zip_safe=False,
)
