"Do what nbdev_docs does to each notebook before quarto: it runs the cells that have imports, and those alone. Nothing is written."
import contextlib,io,os,sys,warnings
from pathlib import Path
os.environ['IN_TEST'] = '1'
root = Path(__file__).resolve().parent.parent
os.chdir(root)   # nbdev looks for settings.ini from here
from execnb.nbio import read_nb
from nbdev.doclinks import nbglob
from nbdev.processors import FilterDefaults

def why(f):
    "What keeps a notebook out of the documentation, or None"
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out): FilterDefaults()(read_nb(f))
    except Exception as e: return f'{str(e)[:400]}\n{e.__cause__!r}'

if __name__ == '__main__':
    warnings.simplefilter('ignore')
    files = [Path(o) for o in sys.argv[1:]] or [Path(o) for o in nbglob('nbs', as_path=True)]
    faults = {f:o for f in files if (o := why(f))}
    for f,o in faults.items(): print(f'{f}: {o}\nImports have to stand in cells of their own.\n')
    print(f'{len(files)} notebooks, {len(faults)} that nbdev_docs cannot process')
    sys.exit(bool(faults))
