"""The diversity step where the original tool has it: the script, the flags and the work of select_data_diverse.py.

python code_diversity_fla/do_fla.py --json_data_path alpaca_data_gpt2_data.json \\
    --json_save_path alpaca_data_gpt2_data_fla_10400_1040.json --ifd_num 10400 --fla_num 1040
"""

import runpy
import sys
from pathlib import Path

CODE = Path(__file__).resolve().parents[1] / "code_ifd"
sys.path.insert(1, str(CODE))

if __name__ == "__main__":
    runpy.run_path(str(CODE / "select_data_diverse.py"), run_name="__main__")
