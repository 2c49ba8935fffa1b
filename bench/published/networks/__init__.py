"""The networks, by the names of their cases."""

from networks.ani1x import Ani1x
from networks.katago import KataGo
from networks.minilm import MiniLm
from networks.nudenet import NudeNet
from networks.rapidocr import RapidOcr

NETWORKS = (NudeNet(), KataGo(), RapidOcr(), Ani1x(), MiniLm())
CASES = {case.name: (network, case) for network in NETWORKS for case in network.cases}
QUICKEST = "ani1x"
