"""Ports of other papers, one package each, whose claims are checked."""
