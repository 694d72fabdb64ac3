"""How common each word is: counted per owner, behind the writers, for search to weigh by."""
